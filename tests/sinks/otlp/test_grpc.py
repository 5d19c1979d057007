"""The sink ``otlp`` by gRPC against grpcio's server, with OpenTelemetry's own classes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from plugin.sinks.base import (
    MisconfiguredError,
    PartlyRefusedError,
    RejectError,
    RetryError,
    Sink,
    TooLargeError,
    UnavailableError,
)
from plugin.sinks.otlp.grpc_exporter import read_retry_delay
from tests.sinks.factories import records_of, sink_of
from tests.sinks.http_servers import answer, deliver, failure_of, http_server, make_authority, raw_server
from tests.sinks.otlp.grpc_receiver import GrpcReceiver
from tests.testbed.ports import CLOSED_PORT

Code = grpc.StatusCode


@pytest.fixture
def receiver() -> Iterator[GrpcReceiver]:
    with GrpcReceiver() as receiver:
        yield receiver


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server, 200)
        yield server


def otlp(port: int, scheme: str = "http", **options: str) -> Sink[Any]:
    return sink_of(otlp_protocol="grpc", otlp_endpoint=f"{scheme}://127.0.0.1:{port}", **options)


def test_records_arrive(receiver: GrpcReceiver) -> None:
    deliver(otlp(receiver.port), b"one", b"\xff", b"")
    assert [record.line for record in receiver.received] == [b"one", "\ufffd".encode(), b""]
    assert receiver.received[0].container == "web"


def test_one_connection_takes_batch_after_batch_up_to_four_mebibytes(receiver: GrpcReceiver) -> None:
    sink = otlp(receiver.port)

    async def send() -> None:
        for size in (10, 1_000_000, 4_000_000 - 2_000):
            await sink.send(sink.encode(records_of(sink, [b"x" * size])))
        await sink.close()
        await sink.send(sink.encode(records_of(sink, [b"last"])))
        await sink.close()

    asyncio.run(send())
    assert [len(record.line) for record in receiver.received] == [10, 1_000_000, 3_998_000, 4]


def test_headers_and_authentication(receiver: GrpcReceiver) -> None:
    deliver(otlp(receiver.port, otlp_headers="X-Scope-OrgID=1,Authorization=Bearer%20t"), b"x")
    deliver(otlp(receiver.port, otlp_username="Aladdin", otlp_password="open sesame"), b"x")  # noqa: S106
    first, second = receiver.metadata
    assert (first["x-scope-orgid"], first["authorization"]) == ("1", "Bearer t")
    assert second["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("code", "delay", "kind"),
    [
        (Code.CANCELLED, None, RetryError),
        (Code.UNKNOWN, None, RejectError),
        (Code.INVALID_ARGUMENT, None, RejectError),
        (Code.DEADLINE_EXCEEDED, None, RetryError),
        (Code.NOT_FOUND, None, MisconfiguredError),
        (Code.ALREADY_EXISTS, None, RejectError),
        (Code.PERMISSION_DENIED, None, MisconfiguredError),
        (Code.UNAUTHENTICATED, None, MisconfiguredError),
        (Code.RESOURCE_EXHAUSTED, None, TooLargeError),
        (Code.RESOURCE_EXHAUSTED, 2.5, RetryError),
        (Code.FAILED_PRECONDITION, None, RejectError),
        (Code.ABORTED, None, RetryError),
        (Code.OUT_OF_RANGE, None, RetryError),
        (Code.UNIMPLEMENTED, None, MisconfiguredError),
        (Code.INTERNAL, None, RejectError),
        (Code.UNAVAILABLE, None, RetryError),
        (Code.UNAVAILABLE, 2.5, RetryError),
        (Code.DATA_LOSS, None, RetryError),
    ],
)
def test_what_a_status_means(
    receiver: GrpcReceiver, code: grpc.StatusCode, delay: float | None, kind: type[Exception]
) -> None:
    receiver.answers.append((code, delay))
    sink = otlp(receiver.port)
    fault = failure_of(sink, b"x")
    assert type(fault) is kind
    assert f"answered {code.name}: this is {code.name}" in str(fault)
    if isinstance(fault, RetryError):
        assert fault.after == delay
    deliver(sink, b"x")
    assert len(receiver.received) == 1


def test_a_request_that_the_server_finds_too_large(receiver: GrpcReceiver) -> None:
    sink = otlp(receiver.port, otlp_max_request_size="16m")
    assert isinstance(failure_of(sink, b"x" * 5_000_000), TooLargeError)


def test_a_partial_success_is_told_and_not_a_retry(receiver: GrpcReceiver) -> None:
    receiver.response.partial_success.rejected_log_records = 1
    receiver.response.partial_success.error_message = "too old"
    fault = failure_of(otlp(receiver.port), b"x", b"y")
    assert isinstance(fault, PartlyRefusedError)
    assert fault.refused == 1


def test_a_server_that_is_too_slow(receiver: GrpcReceiver) -> None:
    receiver.delay = 1.0
    fault = failure_of(otlp(receiver.port, otlp_timeout="200ms"), b"x")
    assert type(fault) is RetryError
    assert "did not answer within 0.2 s" in str(fault)


def test_nobody_listens() -> None:
    fault = failure_of(otlp(CLOSED_PORT), b"x")
    assert isinstance(fault, UnavailableError)
    assert "onnection refused" in str(fault)


def test_a_server_of_http_1(server: HTTPServer) -> None:
    assert isinstance(failure_of(otlp(server.port, otlp_timeout="2s"), b"x"), RetryError)


@pytest.mark.parametrize("said", [b"", b"hello\r\n", b"\x00" * 64, b"\xff" * 4_000])
def test_a_server_that_says_anything(said: bytes) -> None:
    async def attempt() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            await writer.drain()
            await reader.read(100)

        async with raw_server(talk) as port:
            sink = otlp(port, otlp_timeout="5s")
            try:
                with pytest.raises(RetryError):
                    await sink.send(sink.encode(records_of(sink, [b"x"])))
            finally:
                await sink.close()

    asyncio.run(attempt())


def test_tls(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    issued = authority.authority.issue_cert("127.0.0.1")
    pair = (issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())
    with GrpcReceiver(grpc.ssl_server_credentials([pair])) as receiver:
        deliver(otlp(receiver.port, "https", otlp_certificate=str(authority.ca_file)), b"x")
        assert len(receiver.received) == 1
        fault = failure_of(otlp(receiver.port, "https"), b"x")
        assert isinstance(fault, MisconfiguredError)
        assert "certificate" in str(fault)
        name = otlp(receiver.port, "https", otlp_certificate=str(authority.ca_file), otlp_tls_server_name="other")
        assert isinstance(failure_of(name, b"x"), MisconfiguredError)
        plain = failure_of(otlp(receiver.port, otlp_timeout="2s"), b"x")
        assert isinstance(plain, RetryError)


@given(st.binary(max_size=60))
def test_any_details_can_be_read(details: bytes) -> None:
    delay = read_retry_delay(details)
    assert delay is None or delay >= 0


@pytest.mark.parametrize(("delay", "seconds"), [(Duration(seconds=90), 90.0), (Duration(seconds=10**9), 3600.0)])
def test_a_delay_among_other_details(delay: Duration, seconds: float) -> None:
    status = status_pb2.Status(code=14, message="x")
    status.details.add().Pack(error_details_pb2.DebugInfo(detail="y"))
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    assert read_retry_delay(status.SerializeToString()) == seconds


@pytest.mark.parametrize("delay", [Duration(seconds=-1), Duration(nanos=-1)])
def test_a_delay_that_makes_no_sense(delay: Duration) -> None:
    status = status_pb2.Status()
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    assert read_retry_delay(status.SerializeToString()) is None
