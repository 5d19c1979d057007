"""The sink ``http`` against Werkzeug's server."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, Sink
from plugin.sinks.registry import schema
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.http_servers import answer, deliver, failure_of, http_server, requests_of
from tests.sinks.strategies import SECOND, batches
from tests.testbed.ports import CLOSED_PORT


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server)
        yield server


def http(url: str | HTTPServer = "http://h/in", **options: str) -> Sink[Any]:
    return sink_of(http_url=url if isinstance(url, str) else f"http://127.0.0.1:{url.port}/in?a=b", **options)


def test_a_record_byte_for_byte() -> None:
    sink = http()
    birth = f"{TIME:x}".encode()
    assert sink.encode(records_of(sink, [b'say "hi"\x1b'], origin_of(tag="web/1", attributes={"team": "core"}))) == (
        b'{"timestamp":"2023-11-14T22:13:20.123456789Z","log":"say \\"hi\\"\\u001b","source":"stdout"'
        b',"container_id":"' + b"8c1f" * 16 + b'","container_name":"web"'
        b',"container_created":"2023-11-14T22:00:00.5Z","image":"nginx:1.27","image_id":"sha256:' + b"5e" * 32 + b'"'
        b',"command":"nginx -g daemon off;","tag":"web/1","host":"node1","attributes":{"team":"core"}'
        b',"id":"8c1f8c1f8c1f-' + birth + b'-0"}\n'
    )


def test_names_in_compose_and_swarm() -> None:
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "front",
        "com.docker.swarm.service.name": "shop_front",
        "com.docker.stack.namespace": "stack",
    }
    sink = http()
    origin = origin_of(msgspec.structs.replace(INFO, container_labels=labels))
    record = json.loads(sink.encode(records_of(sink, [b"x"], origin)))
    names = ("compose_project", "compose_service", "swarm_service", "swarm_stack")
    assert [record[name] for name in names] == ["shop", "front", "shop_front", "stack"]


def test_each_record_has_an_id_of_its_own() -> None:
    sink = http()
    records = [json.loads(line) for line in sink.encode(records_of(sink, [b"x"] * 3)).splitlines()]
    assert len({record["id"] for record in records}) == 3


@given(st.lists(st.binary(max_size=200), min_size=1), st.integers(min_value=-(2**62), max_value=2**62))
def test_any_bytes_at_any_time(lines: list[bytes], time: int) -> None:
    """Both formats hold the same, and what is not UTF-8 is replaced."""
    ndjson, array = http(), http(http_format="json")
    written = ndjson.encode(records_of(ndjson, lines, time=time))
    records = [json.loads(line) for line in written.split(b"\n")[:-1]]
    assert json.loads(array.encode(records_of(array, lines, time=time))) == records
    assert [record["log"] for record in records] == [line.decode("utf-8", "replace") for line in lines]
    assert records[0]["timestamp"].endswith(f".{time % 10**9:09}Z")


def plainly(record: Record) -> bytes:
    """Write one record without regard to any other."""
    seconds, nanos = divmod(record.time_nano, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    line = json.dumps(record.line.decode("utf-8", "replace"), ensure_ascii=False)
    begin = f'{{"timestamp":"{moment:%Y-%m-%dT%H:%M:%S}.{nanos:09}Z","log":{line}'
    rest: bytes = record.prepared.after_line[record.source].removeprefix(b'"')
    return begin.encode() + rest + f'{record.offset}"}}'.encode()


@given(batches([http().prepare(origin_of(tag=tag)) for tag in ("web", "db")]))
def test_any_batch_is_its_records_one_by_one(records: list[Record]) -> None:
    written = [plainly(record) for record in records]
    assert http().encode(records) == b"\n".join(written) + b"\n"
    if records:
        assert http(http_format="json").encode(records) == b"[" + b",\n".join(written) + b"]\n"


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
