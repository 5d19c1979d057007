"""What Splunk's collector answers 400 for, and a success that is none.

"Troubleshoot HTTP Event Collector" in Splunk's documentation: 5 no data, 6 invalid data format, 12 event field is
required, 13 event field cannot be blank, 15 error in handling indexed fields.
"""

import json

import pytest
from pytest_httpserver import HTTPServer

from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError
from tests.sinks.factories import records_of, sink_of
from tests.sinks.http_servers import answer, deliver, failure_of, http_server

OPTIONS = {"splunk_url": "http://h", "splunk_token": "t"}


def events(line: bytes, form: str) -> list[object]:
    sink = sink_of(**OPTIONS, splunk_format=form, tag="")
    content = sink.encode(records_of(sink, [line])).decode()
    found, position = [], 0
    while position < len(content):
        event, position = json.JSONDecoder().raw_decode(content, position)
        found.append(event["event"])
    return found


@pytest.mark.parametrize("form", ["inline", "json", "raw"])
@pytest.mark.parametrize("line", ["", " ", "\t", "\u3000", "\u00a0\x1c", "null", "{}", "[]", '""', "0", "false", "\0"])
def test_no_event_is_blank_or_missing(form: str, line: str) -> None:
    for event in events(line.encode(), form):
        assert event not in ("", None, {}, [])
        assert not isinstance(event, str) or event.strip()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"text":"Success","code":0}', None),
        ('{"text":"Success","code":0,"ackId":3}', None),
        ("", None),
        ("OK", None),
        ('{"text":"Event field is required","code":12}', RejectError),
        ('{"text":"Invalid data format","code":6,"invalid-event-number":0}', RejectError),
        ('{"text":"Incorrect index","code":7}', MisconfiguredError),
        ('{"text":"Server is busy","code":9}', RetryError),
    ],
)
def test_a_success_with_the_code_of_a_failure_is_none(body: str, kind: type[SinkError] | None) -> None:
    with http_server() as server:
        assert isinstance(server, HTTPServer)
        answer(server, 200, body)
        sink = sink_of(splunk_url=f"http://127.0.0.1:{server.port}", splunk_token="t")  # noqa: S106
        if kind is None:
            deliver(sink, b"x")
        else:
            assert isinstance(failure_of(sink, b"x"), kind)
