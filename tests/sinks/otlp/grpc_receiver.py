"""A receiver of OTLP's requests for logs by gRPC: grpcio's server, with OpenTelemetry's own classes."""

import threading
import time
from collections.abc import Sequence
from concurrent import futures
from dataclasses import replace
from typing import Any, Self

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)

from tests.sinks.otlp.receiver import decode_logs
from tests.sinks.receiving.received import Received
from tests.testbed.ports import HeldPort


class GrpcReceiver(LogsServiceServicer):
    """One server on the loopback, at the same port whenever it is started.

    ``answers``
        codes of the next requests, each with the seconds to wait, None where that is not said
    ``refused``
        a text that makes a request with it be refused for good
    ``delay``
        seconds before each answer
    ``response``
        what is answered to what is taken
    ``metadata``
        what came with the requests, by name
    """

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self._held = HeldPort()
        self.port = self._held.number
        self.answers: list[tuple[grpc.StatusCode, float | None]] = []
        self.refused = b""
        self.delay = 0.0
        self.response = ExportLogsServiceResponse()
        self.metadata: list[dict[str, str]] = []
        self._credentials = credentials
        self._received: list[Received] = []
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._held.release()

    def start(self) -> None:
        """Listen."""
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        add_LogsServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        address = f"127.0.0.1:{self.port}"
        if self._credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, self._credentials)
        server.start()
        self._server = server

    def stop(self) -> None:
        """Go down, and close all connections; what was taken in stays."""
        server, self._server = self._server, None
        if server is not None:
            server.stop(None).wait()

    @property
    def received(self) -> Sequence[Received]:
        """All that arrived."""
        with self._lock:
            return list(self._received)

    def Export(self, request: ExportLogsServiceRequest, context: Any) -> ExportLogsServiceResponse:  # noqa: N802
        """Take a request."""
        time.sleep(self.delay)
        records = decode_logs(request.SerializeToString())
        with self._lock:
            self.metadata.append(dict(context.invocation_metadata()))
            if self.answers:
                context.abort_with_status(_status(*self.answers.pop(0)))
            if self.refused and any(self.refused in record.line for record in records):
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad data")
            self._received += [replace(record, connection=0) for record in records]
        return self.response


def _status(code: grpc.StatusCode, delay: float | None) -> Any:
    made = status_pb2.Status(code=code.value[0], message=f"this is {code.name}")
    if delay is not None:
        seconds, nanos = divmod(int(delay * 10**9), 10**9)
        info = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos))
        made.details.add().Pack(info)
    return rpc_status.to_status(made)
