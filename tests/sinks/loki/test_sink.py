"""The sink ``loki`` against Werkzeug's server and an independent decoder of pushes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from plugin.config.common_options import DeliveryOptions
from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, TooLargeError
from plugin.sinks.registry import schema
from tests.sinks.factories import TIME, origin_of, records_of, sink_of
from tests.sinks.http_servers import (
    answer,
    answer_by,
    deliver,
    failure_of,
    http_server,
    make_authority,
    requests_of,
)
from tests.sinks.loki.payloads import decode_payload
from tests.sinks.loki.push_decoder import Entry, decode_body
from tests.testbed.ports import CLOSED_PORT

LABELS = '{container_name="web", host="node1", source="stdout"}'
METADATA = {"container_id": "8c1f" * 16, "image": "nginx:1.27"}

# Loki's own words: pkg/validation/validate.go and pkg/util/validation in grafana/loki.
RATE_LIMITED = "Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest"
NO_METADATA = (
    f"stream '{LABELS}' includes structured metadata, but this feature is disallowed. Please see "
    "`limits_config.allow_structured_metadata` or contact your Loki administrator to enable it."
)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server)
        yield server


def url_of(server: HTTPServer, path: str = "") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def test_a_push_as_loki_wants_it(server: HTTPServer) -> None:
    deliver(sink_of(loki_url=url_of(server)), b"one", b"", b"two")
    (request,) = requests_of(server)
    assert (request.method, request.path) == ("POST", "/loki/api/v1/push")
    assert request.headers["Content-Type"] == "application/x-protobuf"
    assert "X-Scope-OrgID" not in request.headers
    assert decode_body(request.get_data()) == [
        Entry(LABELS, TIME, "one", METADATA),
        Entry(LABELS, TIME + 2000, "two", METADATA),
    ]


def test_ten_thousand_lines_in_order(server: HTTPServer) -> None:
    lines = [f"{number:06} GET /index.html?{'x' * (number % 97)}".encode() for number in range(10_000)]
    deliver(sink_of(loki_url=url_of(server)), *lines)
    (request,) = requests_of(server)
    entries = decode_body(request.get_data())
    assert [entry.line.encode() for entry in entries] == lines
    assert [entry.time_nano for entry in entries] == [TIME + 1000 * number for number in range(10_000)]


def test_labels_beyond_the_limit_of_loki_go_along_as_metadata() -> None:
    origin = origin_of(attributes={f"l{number:02}": "v" for number in range(20)})
    for options, names in (({}, 15), ({"loki_max_labels": "30"}, 23)):
        sink = sink_of(loki_url="http://h", **options)
        (entry,) = decode_payload(sink.encode(records_of(sink, [b"x"], origin)))
        assert entry.labels.count("=") == names
        assert len(entry.metadata) == 23 + len(METADATA) - names
    assert entry.metadata == METADATA


def test_short_lines_whose_metadata_exceeds_what_loki_takes_in_one_push_are_split() -> None:
    sink = sink_of(loki_url="http://h", loki_max_line_size="8m")
    records = records_of(sink, [b"y"] * 40_000)
    with pytest.raises(TooLargeError, match="too many for one push"):
        sink.encode(records)
    assert len(decode_payload(sink.encode(records[:20_000]))) == 20_000
    assert len(decode_payload(sink.encode(records_of(sink, [b"y" * (5 << 20)])))) == 1, (
        "a line alone is Loki's to judge"
    )


def test_the_same_bytes_for_the_same_batch() -> None:
    sink = sink_of(loki_url="http://h")
    records = records_of(sink, [b"a", b"b"])
    assert sink.encode(records) == sink.encode(records)


def test_tenant_authentication_and_path(server: HTTPServer) -> None:
    url = url_of(server, "/mine/push?x=1")
    for options in (
        {"loki_url": url, "loki_tenant_id": "team-a", "loki_bearer_token": "t0ken"},
        {"loki_url": url, "loki_username": "Aladdin", "loki_password": "open sesame"},
        {"loki_url": url.replace("//", "//Aladdin:open%20sesame@")},
    ):
        deliver(sink_of(**options), b"x")
    requests = requests_of(server)
    assert {request.full_path for request in requests} == {"/mine/push?x=1"}
    assert requests[0].headers["X-Scope-OrgID"] == "team-a"
    assert [request.headers["Authorization"] for request in requests] == [
        "Bearer t0ken",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    ]


def test_without_structured_metadata() -> None:
    sink = sink_of(loki_url="http://h", loki_structured_metadata="false")
    assert decode_payload(sink.encode(records_of(sink, [b"x"])))[0].metadata == {}


def test_stdout_and_stderr_are_two_streams() -> None:
    sink = sink_of(loki_url="http://h", loki_external_labels="container_name=,host=,job=x")
    records = [*records_of(sink, [b"out"]), *records_of(sink, [b"err"], source="stderr")]
    assert [(entry.labels, entry.line) for entry in decode_payload(sink.encode(records))] == [
        ('{job="x", source="stdout"}', "out"),
        ('{job="x", source="stderr"}', "err"),
    ]


def test_lines_that_loki_would_refuse_are_cut() -> None:
    sink = sink_of(loki_url="http://h", loki_max_line_size="2k")
    assert [len(entry.line) for entry in decode_payload(sink.encode(records_of(sink, [b"x" * 5000])))] == [
        2048,
        2048,
        904,
    ]


def test_nothing_is_sent_where_nothing_is_left(server: HTTPServer) -> None:
    dropping = "[{action: drop, source_labels: [container_name], regex: web}]"
    deliver(sink_of(loki_url=url_of(server)), b"", b" \t")
    deliver(sink_of(loki_url=url_of(server), loki_relabel_config=dropping), b"x")
    assert requests_of(server) == []


def test_too_many_requests(server: HTTPServer) -> None:
    answer(server, 429, RATE_LIMITED, Retry_After="3")
    fault = failure_of(sink_of(loki_url=url_of(server)), b"x")
    assert isinstance(fault, RetryError)
    assert fault.after == 3.0
    assert "429 Too Many Requests: Ingestion rate limit exceeded" in str(fault)


def test_an_internal_error(server: HTTPServer) -> None:
    answer(server, 500, "empty ring")
    assert isinstance(failure_of(sink_of(loki_url=url_of(server)), b"x"), RetryError)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_somebody_must_mend(server: HTTPServer, status: int) -> None:
    answer(server, status, "no org id for passw0rd")
    options = {"loki_url": url_of(server), "loki_password": "passw0rd"}
    fault = failure_of(sink_of(**options), b"x")
    assert isinstance(fault, MisconfiguredError)
    assert "passw0rd" not in str(fault)


def test_structured_metadata_that_is_not_allowed(server: HTTPServer) -> None:
    answer(server, 400, NO_METADATA)
    fault = failure_of(sink_of(loki_url=url_of(server)), b"x")
    assert isinstance(fault, MisconfiguredError)
    assert "loki-structured-metadata=false" in str(fault)


def test_one_record_that_loki_refuses(server: HTTPServer) -> None:
    def refuse(request: Request) -> Response:
        bad = any(entry.line == "bad" for entry in decode_body(request.get_data()))
        return Response("entry has timestamp too old", 400) if bad else Response(status=204)

    answer_by(server, refuse)
    sink = sink_of(loki_url=url_of(server))
    assert isinstance(failure_of(sink, b"good", b"bad"), RejectError)
    assert "timestamp too old" in str(failure_of(sink, b"bad"))
    deliver(sink, b"good")


def test_down_and_up_again() -> None:
    sink = sink_of(loki_url=f"http://127.0.0.1:{CLOSED_PORT}")
    assert isinstance(failure_of(sink, b"x"), RetryError)
    with http_server() as server:
        answer(server)
        sink = sink_of(loki_url=url_of(server))

        async def run() -> None:
            payload = sink.encode(records_of(sink, [b"x"]))
            answer(server, 503)
            with pytest.raises(RetryError):
                await sink.send(payload)
            answer(server)
            await sink.send(payload)
            await sink.close()

        asyncio.run(run())


def test_tls_and_its_files(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    with http_server(authority.server_context("logs.example", asks_for_certificate=True)) as server:
        answer(server)
        options = {
            "loki_url": server.url_for("/push"),
            "loki_tls_ca_file": str(authority.ca_file),
            "loki_tls_cert_file": str(authority.cert_file),
            "loki_tls_key_file": str(authority.key_file),
        }
        assert isinstance(failure_of(sink_of(**options), b"x"), MisconfiguredError)
        deliver(sink_of(**options, loki_tls_server_name="logs.example"), b"x")
        deliver(sink_of(**options, loki_tls_insecure_skip_verify="true"), b"x")
        assert len(requests_of(server)) == 2
    with pytest.raises(MisconfiguredError, match="/etc/peavey"):
        sink_of(loki_url="https://h", loki_tls_ca_file=str(tmp_path / "missing"))


def test_the_options_of_grafanas_driver_are_taken() -> None:
    options = {
        "loki-url": "https://u:p@h/loki/api/v1/push",
        "loki-external-labels": "job=docker",
        "loki-timeout": "5s",
        "loki-batch-wait": "2s",
        "loki-batch-size": "400000",
        "loki-min-backoff": "100ms",
        "loki-max-backoff": "10s",
        "loki-retries": "2",
        "loki-tls-insecure-skip-verify": "true",
        "loki-proxy-url": "http://proxy:3128",
        "no-file": "true",
        "keep-file": "false",
        "max-size": "10m",
        "max-file": "3",
    }
    validated = validate(options, schema=schema())
    (choice,) = validated.sinks
    assert choice.delivery == DeliveryOptions(
        {"batch-wait": 2.0, "batch-size": 400_000, "retry-min": 0.1, "retry-max": 10.0}
    )
    assert {note.split("'")[1] for note in validated.notes} == {"loki-retries", "no-file", "keep-file"}
    (choice,) = validate({"loki-url": "http://h"}, schema=schema()).sinks
    assert choice.delivery.batch_size == 1_048_576


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"loki_timeout": "5s"}, "needs log-opt 'loki-url'"),
        ({"loki_url": "logs:s3cret@h"}, "log-opt 'loki-url': not accepted"),
        ({"loki_url": "http://h", "loki_pipeline_stages": "- json:"}, "stage 1 (json): expressions is missing"),
        ({"loki_url": "http://h", "loki_relabel_config": "[{action: x}]"}, "rule 1: unknown action 'x'"),
        ({"loki_url": "http://h", "loki_bearer_token": "a", "loki_username": "b"}, "are both given"),
        ({"loki_url": "http://h", "loki_tls_key_file": "/k"}, "needs 'loki-tls-cert-file'"),
    ],
)
def test_options_that_cannot_be_accepted(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError) as caught:
        sink_of(**options)
    assert fault in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    options = {
        "loki-url": "http://u:s3cret@h/t0ken",
        "loki-proxy-url": "http://p:s3cret@proxy",
        "loki-password": "s3cret",
    }
    validated = validate(options, schema=schema())
    assert "s3cret" not in repr(validated)
    assert "t0ken" not in repr(validated)


def test_a_container_has_its_streams_prepared_once() -> None:
    sink = sink_of(loki_url="http://h")
    prepared = sink.prepare(origin_of())
    assert all(prepared.get(source) is prepared.get(source) is not None for source in ("stdout", "stderr"))
