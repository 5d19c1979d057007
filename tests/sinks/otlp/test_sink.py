"""The sink ``otlp`` over HTTP against Werkzeug's server."""

import gzip
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import (
    MisconfiguredError,
    PartlyRefusedError,
    RejectError,
    RetryError,
    Sink,
    TooLargeError,
)
from plugin.sinks.otlp.answers import read_partial_success
from plugin.sinks.registry import schema
from tests.sinks.factories import sink_of
from tests.sinks.http_servers import answer, answer_by, deliver, failure_of, http_server, requests_of
from tests.sinks.otlp.receiver import decode_logs
from tests.testbed.ports import CLOSED_PORT

PROTOBUF = "application/x-protobuf"


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server, 200)
        yield server


def otlp(server: HTTPServer, path: str = "", **options: str) -> Sink[Any]:
    return sink_of(otlp_endpoint=f"http://127.0.0.1:{server.port}{path}", **options)


def answer_with(
    server: HTTPServer, body: bytes, status: int = 200, content_type: str = PROTOBUF, **headers: str
) -> None:
    def respond(_: Request) -> Response:
        return Response(body, status, headers, content_type=content_type)

    answer_by(server, respond)


def partial(refused: int, message: str = "") -> bytes:
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = refused
    response.partial_success.error_message = message
    return response.SerializeToString()


def status_message(message: str) -> bytes:
    """Write google.rpc.Status: code 3, a message, which must be short."""
    text = message.encode()
    return b"\x08\x03\x12" + bytes((len(text),)) + text


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_compression(server: HTTPServer, compression: str) -> None:
    deliver(otlp(server, otlp_compression=compression), b"one", b"two")
    (request,) = requests_of(server)
    assert (request.method, request.path) == ("POST", "/v1/logs")
    assert request.headers["Content-Type"] == PROTOBUF
    assert request.headers.get("Content-Encoding", "none") == compression
    body = request.get_data()
    if compression == "gzip":
        body = gzip.decompress(body)
    elif compression == "zstd":
        body = zstandard.ZstdDecompressor().decompress(body)
    assert [record.line for record in decode_logs(body)] == [b"one", b"two"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/v1/logs"),
        ("/", "/v1/logs"),
        ("/v1/logs", "/v1/logs"),
        ("/otlp", "/otlp/v1/logs"),
        ("/insert/opentelemetry/", "/insert/opentelemetry/v1/logs"),
        ("/in?key=1", "/in/v1/logs?key=1"),
    ],
)
def test_the_path(server: HTTPServer, path: str, expected: str) -> None:
    deliver(otlp(server, path), b"x")
    (request,) = requests_of(server)
    assert request.full_path.removesuffix("?") == expected


def test_a_path_of_its_own_is_used_as_given(server: HTTPServer) -> None:
    deliver(sink_of(otlp_logs_endpoint=f"http://127.0.0.1:{server.port}/in"), b"x")
    (request,) = requests_of(server)
    assert request.path == "/in"


def test_headers_and_authentication(server: HTTPServer) -> None:
    deliver(otlp(server, otlp_headers="Authorization=Bearer%20a%2Cb,X-Scope-OrgID=1"), b"x")
    deliver(otlp(server, otlp_username="Aladdin", otlp_password="open sesame"), b"x")  # noqa: S106
    first, second = requests_of(server)
    assert (first.headers["Authorization"], first.headers["X-Scope-OrgID"]) == ("Bearer a,b", "1")
    assert second.headers["Authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectError),
        (401, MisconfiguredError),
        (403, MisconfiguredError),
        (404, MisconfiguredError),
        (413, TooLargeError),
        (429, RetryError),
        (500, RejectError),
        (501, RejectError),
        (502, RetryError),
        (503, RetryError),
        (504, RetryError),
    ],
)
def test_what_an_answer_of_otlp_means(server: HTTPServer, status: int, kind: type[Exception]) -> None:
    answer_with(server, status_message("bad data"), status)
    fault = failure_of(otlp(server), b"x")
    assert type(fault) is kind
    assert str(fault).endswith(": bad data")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_is_not_of_otlp_is_tried_again(server: HTTPServer, status: int) -> None:
    answer(server, status, "<html>", Retry_After="7")
    fault = failure_of(otlp(server), b"x")
    assert isinstance(fault, RetryError)
    assert fault.after == 7


def test_a_status_that_cannot_be_read(server: HTTPServer) -> None:
    answer_with(server, b"plain words", 400)
    assert "plain words" in str(failure_of(otlp(server), b"x"))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (partial(3, "too old"), PROTOBUF),
        (b'{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}', "application/json"),
        (b' {"partialSuccess":{"rejectedLogRecords":3,"errorMessage":"too old"}}', "application/json"),
    ],
)
def test_a_partial_success_is_told_and_not_a_retry(server: HTTPServer, body: bytes, content_type: str) -> None:
    answer_with(server, body, content_type=content_type)
    fault = failure_of(otlp(server), b"x", b"y")
    assert isinstance(fault, PartlyRefusedError)
    assert fault.refused == 3
    assert str(fault).endswith(" refused 3 records: too old")


def test_a_warning_is_told_once(server: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    sink = otlp(server)
    for message in ("slow down", "slow down", "or not"):
        answer_with(server, partial(0, message))
        deliver(sink, b"x")
    told = [message for message in caplog.messages if "took all records" in message]
    assert [message.rpartition(": ")[2] for message in told] == ["slow down", "or not"]


@pytest.mark.parametrize("body", [b"", b"\x0a\x00", b"OK", b"{}", b'{"partialSuccess":7}', b"{", b"\x0a\xff", b"[]"])
def test_answers_that_mean_yes(server: HTTPServer, body: bytes) -> None:
    answer_with(server, body)
    deliver(otlp(server), b"x")


@given(st.binary(max_size=40) | st.builds(lambda text: b"{" + text, st.binary(max_size=20)))
def test_any_answer_can_be_read(answer: bytes) -> None:
    assert read_partial_success(answer).refused >= 0


@given(st.integers(0, 2**63 - 1), st.text())
def test_answers_are_read_as_the_official_classes_write_them(refused: int, message: str) -> None:
    assert read_partial_success(partial(refused, message)) == (refused, message)


def test_a_number_of_refused_records_that_makes_no_sense() -> None:
    assert read_partial_success(partial(-1, "x")) == (0, "x")
    assert read_partial_success(b'{"partialSuccess":{"rejectedLogRecords":"-1"}}').refused == 0


def test_nobody_listens() -> None:
    assert isinstance(failure_of(sink_of(otlp_endpoint=f"http://127.0.0.1:{CLOSED_PORT}"), b"x"), RetryError)


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("1500", 1.5), ("500ms", 0.5)])
def test_time_limits(text: str, seconds: float) -> None:
    (choice,) = validate({"otlp-endpoint": "http://h", "otlp-timeout": text}, schema=schema()).sinks
    assert choice.options.http.timeout == seconds  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "destination"),
    [
        ({"sink": "otlp"}, "http://127.0.0.1:4318"),
        ({"otlp-protocol": "grpc"}, "http://127.0.0.1:4317"),
        ({"otlp-endpoint": "https://u:p@h/x"}, "https://h"),
        ({"otlp-endpoint": "https://h/x", "otlp-logs-endpoint": "https://other/y"}, "https://other"),
    ],
)
def test_where_it_sends_to(options: dict[str, str], destination: str) -> None:
    (choice,) = validate(options, schema=schema()).sinks
    assert choice.options.destination == destination


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"otlp-endpoint": "s3cret"}, "log-opt 'otlp-endpoint': not accepted (expected: an http:// or https://"),
        ({"otlp-headers": "s3cret"}, "log-opt 'otlp-headers': not accepted (expected: Name="),
        ({"otlp-protocol": "http/json"}, "not one of http/protobuf, grpc"),
        ({"otlp-timeout": "50"}, "'50ms' is too short (at least 0.1s)"),
        ({"otlp-timeout": "soon"}, "is not a duration"),
        ({"otlp-service-name": "{{.Nam}}"}, "Nam"),
        ({"otlp-resource-attributes": "prod"}, "'prod' is not an attribute (example: "),
        ({"otlp-protocol": "grpc", "otlp-logs-endpoint": "http://h"}, "otlp-logs-endpoint is for otlp-protocol=http"),
        ({"otlp-protocol": "grpc", "otlp-compression": "gzip"}, "by gRPC are not compressed"),
        ({"otlp-protocol": "grpc", "otlp-proxy-url": "http://h"}, "otlp-proxy-url is for otlp-protocol=http"),
        ({"otlp-client-key": "/k"}, "log-opt 'otlp-client-key' needs 'otlp-client-certificate'"),
    ],
)
def test_options_that_cannot_be_accepted(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError) as caught:
        validate({"sink": "otlp", **options}, schema=schema())
    assert fault in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    options = {"otlp-endpoint": "http://u:s3cret@h/t0ken", "otlp-headers": "X-Key=s3cret"}
    shown = repr(validate(options, schema=schema()))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
