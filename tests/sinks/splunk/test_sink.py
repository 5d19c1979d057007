"""The sink ``splunk`` against an event collector."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, Sink, TooLargeError
from plugin.sinks.registry import schema
from plugin.sinks.splunk.options import SplunkOptions
from tests.sinks.factories import sink_of
from tests.sinks.http_servers import (
    answer,
    answer_by,
    deliver,
    failure_of,
    http_server,
    make_authority,
    requests_of,
)
from tests.sinks.splunk.collector import ACK, Collector
from tests.testbed.ports import CLOSED_PORT

TOKEN = "2160C7EF-2CE9-4307-A180-F852B99CF417"  # noqa: S105
URL = "http://h:8088"


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        yield server


def splunk(url: str | HTTPServer = URL, **options: str) -> Sink[Any]:
    text = url if isinstance(url, str) else f"http://127.0.0.1:{url.port}"
    return sink_of(splunk_url=text, splunk_token=TOKEN, **options)


def test_an_empty_tag_means_none() -> None:
    options = {"splunk-url": URL, "splunk-token": TOKEN}
    tags = [validate(options | more, schema=schema()).sinks[0].records.tag for more in ({}, {"tag": ""})]
    assert tags == ["{{.ID}}", ""]


def test_events_arrive(server: HTTPServer) -> None:
    collector = Collector(TOKEN)
    answer_by(server, collector.answer)
    deliver(splunk(server), b"one", b"two")
    deliver(splunk(server, splunk_gzip="true"), b"three")
    deliver(splunk(server, splunk_gzip="true", splunk_gzip_level="9", splunk_url_path="/services/collector"), b"four")
    assert [event["event"]["line"] for event in collector.events] == ["one", "two", "three", "four"]
    assert {event["time"] for event in collector.events} == {"1700000000.123456789", "1700000000.123457789"}
    assert [request.path for request in requests_of(server)] == ["/services/collector/event/1.0"] * 2 + [
        "/services/collector"
    ]


def test_nothing_is_sent_where_nothing_is_left(server: HTTPServer) -> None:
    answer(server)
    for gzip in ("true", "false"):
        deliver(splunk(server, splunk_format="raw", splunk_gzip=gzip), b" ")
    assert requests_of(server) == []


def test_the_index_is_waited_for(server: HTTPServer) -> None:
    collector = Collector(TOKEN, acknowledges=2)
    answer_by(server, collector.answer)
    sink = splunk(server, splunk_index_acknowledgment="true")
    deliver(sink, b"one")
    deliver(sink, b"two")
    assert [event["event"]["line"] for event in collector.events] == ["one", "two"]
    assert collector.questions == 6
    first, asked = requests_of(server)[:2]
    assert asked.path == ACK
    assert asked.get_data() == b'{"acks":[0]}'
    assert asked.args["channel"] == first.headers["X-Splunk-Request-Channel"]


def test_an_index_that_never_acknowledges(server: HTTPServer) -> None:
    collector = Collector(TOKEN, acknowledges=-1)
    answer_by(server, collector.answer)
    fault = failure_of(splunk(server, splunk_index_acknowledgment="true", splunk_ack_timeout="1s"), b"x")
    assert isinstance(fault, RetryError)
    assert "not indexed within 1 s" in str(fault)


def test_a_question_without_an_answer_does_not_send_the_events_again(server: HTTPServer) -> None:
    collector = Collector(TOKEN, acknowledges=0)
    failed: list[bool] = []

    def fail_once(request: Request) -> Response:
        if request.path == ACK and not failed:
            failed.append(True)
            return Response("busy", 503)
        return collector.answer(request)

    answer_by(server, fail_once)
    deliver(splunk(server, splunk_index_acknowledgment="true"), b"x")
    assert failed
    assert len(collector.events) == 1


def test_a_server_that_knows_no_acknowledgement(server: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector(TOKEN)
    answer_by(server, collector.answer)
    sink = splunk(server, splunk_index_acknowledgment="true")
    with caplog.at_level(logging.WARNING):
        deliver(sink, b"x")
        deliver(sink, b"y")
    assert len(collector.events) == 2
    assert [record.message for record in caplog.records if "acknowledgement ids" in record.message] == [
        caplog.records[0].message
    ]


def test_the_token_must_be_right(server: HTTPServer) -> None:
    answer_by(server, Collector("another").answer)
    fault = failure_of(splunk(server), b"x")
    assert isinstance(fault, MisconfiguredError)
    assert "Invalid token" in str(fault)
    assert TOKEN not in str(fault)


def test_a_token_that_is_set_up_otherwise(server: HTTPServer) -> None:
    answer_by(server, Collector(TOKEN, acknowledges=0).answer)
    fault = failure_of(splunk(server), b"x")
    assert isinstance(fault, MisconfiguredError)
    assert "Data channel is missing" in str(fault)
    answer_by(server, Collector(TOKEN).answer)
    assert isinstance(failure_of(splunk(server, splunk_index="forbidden"), b"x"), MisconfiguredError)
    assert isinstance(failure_of(splunk(server, splunk_url_path="/elsewhere"), b"x"), MisconfiguredError)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, '{"text":"Server is busy","code":9}', RetryError),
        (500, '{"text":"Internal server error","code":8}', RetryError),
        (429, "", RetryError),
        (400, '{"text":"Invalid data format","code":6,"invalid-event-number":0}', RejectError),
        (400, "[]", RejectError),
        (413, "", TooLargeError),
    ],
)
def test_what_an_answer_means(server: HTTPServer, status: int, body: str, kind: type[Exception]) -> None:
    answer(server, status, body, Retry_After="2")
    fault = failure_of(splunk(server), b"x")
    assert type(fault) is kind
    assert not isinstance(fault, RetryError) or fault.after == 2.0


def test_one_event_that_is_refused(server: HTTPServer) -> None:
    def refuse(request: Request) -> Response:
        return Response('{"code":6}', 400) if b"bad" in request.get_data() else Response('{"code":0}')

    answer_by(server, refuse)
    sink = splunk(server)
    assert isinstance(failure_of(sink, b"good", b"bad"), RejectError)
    deliver(sink, b"good")


def test_nobody_listens() -> None:
    assert isinstance(failure_of(splunk(f"http://127.0.0.1:{CLOSED_PORT}"), b"x"), RetryError)


def test_a_slow_server(server: HTTPServer) -> None:
    def wait(_request: Request) -> Response:
        time.sleep(0.6)
        return Response("{}")

    answer_by(server, wait)
    assert isinstance(failure_of(splunk(server, splunk_timeout="200ms"), b"x"), RetryError)


def test_tls_as_dockers_driver_has_it(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    with http_server(authority.server_context("SplunkServerDefaultCert")) as server:
        answer(server, 200)
        url, ca = f"https://127.0.0.1:{server.port}", str(authority.ca_file)
        assert isinstance(failure_of(splunk(url), b"x"), MisconfiguredError)
        assert isinstance(failure_of(splunk(url, splunk_capath=ca), b"x"), MisconfiguredError)
        deliver(splunk(url, splunk_capath=ca, splunk_caname="SplunkServerDefaultCert"), b"x")
        deliver(splunk(url, splunk_insecureskipverify="true"), b"x")
        assert len(requests_of(server)) == 2
    with pytest.raises(MisconfiguredError, match="/etc/peavey"):
        splunk("https://h", splunk_capath=str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"splunk-url": URL}, "needs log-opt 'splunk-token'"),
        ({"splunk-token": TOKEN}, "needs log-opt 'splunk-url'"),
        ({"splunk-url": "h:8088", "splunk-token": TOKEN}, "http:// or https:// URL"),
        ({"splunk-url": f"{URL}/x", "splunk-token": TOKEN}, "splunk-url-path"),
        ({"splunk-url": f"{URL}?x=1", "splunk-token": TOKEN}, "more than scheme://host:port"),
        ({"splunk-url": f"{URL}#x", "splunk-token": TOKEN}, "more than scheme://host:port"),
        ({"splunk-url": "http://u:s3cret@h", "splunk-token": TOKEN}, "user or a password"),
        ({"splunk-url": URL, "splunk-token": TOKEN, "splunk-format": "xml"}, "not one of inline, json, raw"),
        ({"splunk-url": URL, "splunk-token": TOKEN, "splunk-gzip-level": "10"}, "from -1 to 9"),
        ({"splunk-url": URL, "splunk-token": TOKEN, "splunk-gzip": "yes"}, "not a boolean"),
        ({"splunk-url": URL, "splunk-token": TOKEN, "splunk-url-path": "x"}, "not a path"),
    ],
)
def test_options_that_cannot_be_accepted(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError) as caught:
        validate(options, schema=schema())
    assert fault in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_token_does_not_show_and_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    options = {"splunk-url": URL, "splunk-token-file": str(tmp_path / "token"), "splunk-verify-connection": "true"}
    validated = validate(options, schema=schema())
    assert TOKEN not in repr(validated)
    (choice,) = validated.sinks
    assert isinstance(choice.options, SplunkOptions)
    assert choice.options.token.reveal() == TOKEN
    assert "splunk-verify-connection" in validated.notes[0]
