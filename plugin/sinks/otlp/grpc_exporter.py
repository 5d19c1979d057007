"""OTLP by gRPC: the method Export of the service for logs, over a connection that is kept and rebuilt.

Source: "OTLP/gRPC" in OpenTelemetry's protocol specification; ``google/rpc/status.proto`` and ``error_details.proto``
in googleapis/googleapis::

    Status    { 1 code  2 message  3 details (repeated Any { 1 type_url  2 value }) }
    RetryInfo { 1 retry_delay (Duration { 1 seconds  2 nanos }) }
"""

import asyncio
import ssl
from typing import Any

import grpclib.client
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.encoding.base import CodecBase, StatusDetailsCodecBase
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError
from grpclib.stream import recv_message
from h2.exceptions import H2Error

from plugin.sinks.base import (
    MisconfiguredError,
    RejectError,
    RetryError,
    SinkError,
    TooLargeError,
    UnavailableError,
)
from plugin.sinks.encoding.protobuf import read_fields
from plugin.sinks.transport.dial import Address, reason
from plugin.sinks.transport.http.responses import LONGEST_WAIT, shorten
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.tls.context import ClientTls
from plugin.sinks.transport.tls.layer import tls_failure

_EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_CONNECT_SECONDS = 10.0
_LARGEST_ANSWER = 1 << 20  # bytes

_RETRIED = (
    Status.CANCELLED,
    Status.DEADLINE_EXCEEDED,
    Status.ABORTED,
    Status.OUT_OF_RANGE,
    Status.UNAVAILABLE,
    Status.DATA_LOSS,
)
_ADVICE = {
    Status.UNAUTHENTICATED: "check otlp-headers, user and password or token",
    Status.PERMISSION_DENIED: "check otlp-headers, user and password or token, and what they permit",
    Status.UNIMPLEMENTED: "check that this server takes logs by gRPC at this port",
    Status.NOT_FOUND: "check that this server takes logs by gRPC at this port",
}
# What grpclib says itself, with the status UNKNOWN, of an answer that is HTTP/2, but not gRPC.
_NOT_GRPC = ("Received :status", "Missing ", "Invalid ")


class _BoundedStream:
    """A stream of which no message is read that is larger than any answer can be."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def recv_data(self, size: int) -> bytes:
        if size > _LARGEST_ANSWER:
            raise ProtocolError(f"the server announces an answer of {size} bytes")
        content: bytes = await self._stream.recv_data(size)
        return content


async def _recv_message(stream: Any, codec: CodecBase, message_type: Any) -> Any:
    return await recv_message(_BoundedStream(stream), codec, message_type)  # type: ignore[arg-type]


grpclib.client.recv_message = _recv_message  # type: ignore[attr-defined]


class _Bytes(CodecBase):
    """Messages that are encoded already."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, message_type: object) -> bytes:  # noqa: ARG002 (as grpclib calls it)
        return message

    def decode(self, data: bytes, message_type: object) -> bytes:  # noqa: ARG002
        return data


class _RetryDelay(StatusDetailsCodecBase):
    """Of a status' details, how many seconds to wait; None where it is not said."""

    def encode(self, status: Status, message: str | None, details: Any) -> bytes:
        raise NotImplementedError

    def decode(self, status: Status, message: str | None, data: bytes) -> float | None:  # noqa: ARG002
        return read_retry_delay(data)


class GrpcExporter:
    """Sends requests to one server; host names are looked up for each connection, which ends with every failure."""

    def __init__(self, settings: HttpSettings) -> None:
        """Take the settings; raises `MisconfiguredError` for files of TLS that cannot be used."""
        target = settings.url.target
        self._settings = settings
        self._site = settings.url.site
        self._address = Address(target.host or "", target.port or 0)
        self._tls: ClientTls | None = None
        if target.scheme == "https":
            self._tls = ClientTls(settings.ca, settings.cert, settings.key, verify=settings.verify)
        authorization = settings.authorization or settings.url.authorization
        self._metadata = {name.lower(): value for name, value in settings.given_headers.items()}
        if authorization:
            self._metadata.setdefault("authorization", authorization.reveal())
        self._secrets = (*settings.secrets, *filter(None, (authorization, settings.url.password)))
        self._channel: Channel | None = None

    async def send(self, body: bytes) -> bytes:
        """Send a request; return the answer to one that was taken. Raises as `Sink.send` does."""
        try:
            async with asyncio.timeout(self._settings.timeout):
                channel = await self._connected()
                export = UnaryUnaryMethod(channel, _EXPORT, bytes, bytes)
                answer: bytes = await export(body, metadata=self._metadata)
        except SinkError:
            await self.close()
            raise
        except GRPCError as error:
            await self.close()
            raise self._failure(error) from error
        except TimeoutError as error:
            await self.close()
            raise RetryError(f"{self._site} did not answer within {self._settings.timeout:g} s") from error
        # The last three are how grpclib meets an answer that no server of gRPC gives.
        except (
            OSError,
            H2Error,
            ProtocolError,
            StreamTerminatedError,
            AssertionError,
            NotImplementedError,
            ValueError,
        ) as error:
            await self.close()
            hint = "if it lasts, check that it takes gRPC at this port, with or without TLS as the URL says"
            raise RetryError(f"the connection to {self._site} failed: {type(error).__name__} ({hint})") from error
        return answer

    async def close(self) -> None:
        """Close the connection; a later request opens a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    async def _connected(self) -> Channel:
        """Return the channel, with a connection."""
        if self._channel is None:
            context = None
            if self._tls is not None:
                context = self._tls.context()
                context.set_alpn_protocols(["h2"])
            config = Configuration(ssl_target_name_override=self._settings.server_name or None)
            self._channel = Channel(
                self._address.host,
                self._address.port,
                codec=_Bytes(),
                status_details_codec=_RetryDelay(),
                ssl=context,
                config=config,
            )
        limit = min(_CONNECT_SECONDS, self._settings.timeout)
        try:
            async with asyncio.timeout(limit):
                await self._channel.__connect__()
        except TimeoutError as error:
            raise UnavailableError(f"cannot connect to {self._site} within {limit:g} s") from error
        except ssl.SSLError as error:
            raise tls_failure(self._address, error) from error
        except (OSError, UnicodeError) as error:
            raise UnavailableError(f"cannot connect to {self._site}: {reason(error, self._address)}") from error
        return self._channel

    def _failure(self, error: GRPCError) -> SinkError:
        """Return the failure that a status stands for, as the specification's table has it."""
        said = error.message or ""
        message = f"{self._site} answered {error.status.name}{shorten(said.encode('utf-8', 'replace'), self._secrets)}"
        if advice := _ADVICE.get(error.status):
            return MisconfiguredError(f"{message} ({advice})")
        if error.status is Status.UNKNOWN and said.startswith(_NOT_GRPC):
            return MisconfiguredError(f"{message} (it does not speak gRPC: check otlp-endpoint and otlp-protocol)")
        delay = error.details if isinstance(error.details, float) else None
        if error.status in _RETRIED or (error.status is Status.RESOURCE_EXHAUSTED and delay is not None):
            return RetryError(message, delay)
        if error.status is Status.RESOURCE_EXHAUSTED:
            return TooLargeError(message)
        return RejectError(message)


def read_retry_delay(details: bytes) -> float | None:
    """Read the seconds of a ``RetryInfo`` in a ``google.rpc.Status``, at most an hour; None if there is none."""
    try:
        for number, detail in read_fields(details):
            if number == 3 and isinstance(detail, bytes):
                content = dict(read_fields(detail))
                if bytes(content.get(1, b"")).endswith(b"/google.rpc.RetryInfo"):
                    info = dict(read_fields(bytes(content.get(2, b""))))
                    delay = dict(read_fields(bytes(info.get(1, b""))))
                    return _seconds(delay)
    except (TypeError, ValueError):
        return None
    return None


def _seconds(duration: dict[int, int | bytes]) -> float | None:
    seconds, nanos = duration.get(1, 0), duration.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int) or seconds >= 2**63 or nanos >= 10**9:
        return None
    return min(seconds + nanos / 1e9, LONGEST_WAIT)
