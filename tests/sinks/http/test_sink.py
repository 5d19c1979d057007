"""The sink ``http`` against Werkzeug's server."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from pytest_httpserver import HTTPServer

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, Sink
from plugin.sinks.registry import schema
from tests.sinks.factories import sink_of
from tests.sinks.http_servers import answer, deliver, failure_of, http_server, requests_of
from tests.testbed.ports import CLOSED_PORT


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server)
        yield server


def http(url: str | HTTPServer = "http://h/in", **options: str) -> Sink[Any]:
    return sink_of(http_url=url if isinstance(url, str) else f"http://127.0.0.1:{url.port}/in?a=b", **options)


@pytest.mark.parametrize(
    ("options", "content_type", "encoding"),
    [
        ({}, "application/x-ndjson", None),
        ({"http_format": "json"}, "application/json", None),
        ({"http_compression": "gzip"}, "application/x-ndjson", "gzip"),
        ({"http_compression": "zstd", "http_format": "json"}, "application/json", "zstd"),
    ],
)
def test_formats_and_compression(
    server: HTTPServer, options: dict[str, str], content_type: str, encoding: str | None
) -> None:
    deliver(http(server, **options), b"one", b"two")
    (request,) = requests_of(server)
    assert (request.method, request.full_path) == ("POST", "/in?a=b")
    assert request.headers["Content-Type"] == content_type
    assert request.headers.get("Content-Encoding") == encoding
    body = request.get_data()
    if encoding == "gzip":
        body = gzip.decompress(body)
    elif encoding == "zstd":
        body = zstandard.ZstdDecompressor().decompress(body)
    records = (
        json.loads(body) if content_type == "application/json" else [json.loads(line) for line in body.splitlines()]
    )
    assert [record["log"] for record in records] == ["one", "two"]


def test_headers_method_and_authentication(server: HTTPServer) -> None:
    deliver(http(server, http_method="PUT", http_headers="X-Key=k,Content-Type=text/plain"), b"x")
    for options in ({"http_bearer_token": "t"}, {"http_username": "Aladdin", "http_password": "open sesame"}):
        deliver(http(server, **options), b"x")
    first, second, third = requests_of(server)
    assert (first.method, first.headers["X-Key"], first.headers["Content-Type"]) == ("PUT", "k", "text/plain")
    assert second.headers["Authorization"] == "Bearer t"
    assert third.headers["Authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


@pytest.mark.parametrize(
    ("status", "kind"), [(500, RetryError), (429, RetryError), (401, MisconfiguredError), (422, RejectError)]
)
def test_what_an_answer_means(server: HTTPServer, status: int, kind: type[Exception]) -> None:
    answer(server, status)
    assert type(failure_of(http(server), b"x")) is kind


def test_nobody_listens() -> None:
    assert isinstance(failure_of(http(f"http://127.0.0.1:{CLOSED_PORT}"), b"x"), RetryError)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"http-format": "json"}, "needs log-opt 'http-url'"),
        ({"http-url": "s3cret"}, "log-opt 'http-url': not accepted (expected: an http:// or https:// URL"),
        ({"http-url": "http://h", "http-headers": "s3cret"}, "log-opt 'http-headers': not accepted (expected: Name="),
        ({"http-url": "http://h", "http-format": "xml"}, "not one of ndjson, json"),
        ({"http-url": "http://h", "http-bearer-token": "s3cret", "http-password": "x"}, "are both given"),
    ],
)
def test_options_that_cannot_be_accepted(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError) as caught:
        validate(options, schema=schema())
    assert fault in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    options = {"http-url": "http://u:s3cret@h/t0ken", "http-headers": "X-Key=s3cret", "http-password": "s3cret"}
    shown = repr(validate(options, schema=schema()))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
