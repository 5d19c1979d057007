"""Can a success hide a refusal? For each sink of which docs/guarantees.md says no: what looks like a yes, but is none.

Those that cannot know are in the page, too; what their receivers refuse is in tests/sinks/*/test_rules_of_*.py.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from plugin.config.options import validate
from plugin.sinks.base import SinkError
from plugin.sinks.registry import make_sink, schema
from tests.fuzz.test_conversations import PROTOCOLS, converse
from tests.sinks.factories import records_of
from tests.sinks.gcplogs.receiver import service_account

PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"

HTTP: dict[str, Callable[[str, int], dict[str, str]]] = {
    "splunk": lambda url, _: {"splunk-url": url, "splunk-token": "token"},
    "elasticsearch": lambda url, _: {"elasticsearch-url": url},
    "otlp": lambda url, _: {"otlp-endpoint": url},
    "clickhouse": lambda url, _: {"clickhouse-url": url},
    "gcplogs": lambda url, port: {
        "gcp-endpoint": url,
        "gcp-project": "shop-4711",
        "gcp-meta-name": "n",
        "gcp-credentials": service_account(port),
    },
}
_BUSY = {"errors": True, "items": [{"create": {"status": 429, "error": {"type": "busy", "reason": "later"}}}]}
_PARTIAL = {
    "error": {
        "code": 400,
        "details": [
            {
                "@type": "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors",
                "logEntryErrors": {"0": {"code": 3, "message": "no"}},
            }
        ],
    }
}
HIDDEN = [
    ("splunk", 200, b'{"text":"Incorrect index","code":7}'),
    ("splunk", 200, b'{"text":"Server is busy","code":9}'),
    ("elasticsearch", 200, json.dumps(_BUSY).encode()),
    ("elasticsearch", 200, b'{"errors":true,"items":[]}'),
    ("elasticsearch", 200, b'{"items":[{"create":{}}]}'),
    ("elasticsearch", 200, b"<html>log in</html>"),
    ("otlp", 200, b"\x0a\x02\x08\x01"),
    ("otlp", 200, b'{"partialSuccess":{"rejectedLogRecords":"1"}}'),
    ("clickhouse", 200, b"Code: 27. DB::Exception: Cannot parse input. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)"),
    ("gcplogs", 400, json.dumps(_PARTIAL).encode()),
]
TAKEN = {
    "splunk": b'{"code":0}',
    "elasticsearch": b'{"errors":false}',
    "otlp": b"",
    "clickhouse": b"",
    "gcplogs": b"{}",
}


def is_taken(server: HTTPServer, sink_name: str, status: int, body: bytes) -> bool:
    """Send a record to a server that answers so; return whether that counts as delivered."""
    server.expect_request("/token").respond_with_json({"access_token": "t", "expires_in": 3600})
    server.expect_request(re.compile(".*")).respond_with_data(body, status, content_type="application/json")
    (choice,) = validate(HTTP[sink_name](server.url_for("").rstrip("/"), server.port), {}, schema()).sinks
    sink = make_sink(choice)

    async def send() -> bool:
        try:
            with contextlib.suppress(SinkError):
                await sink.send(sink.encode(records_of(sink, [b"a line"])))
                return True
            return False
        finally:
            await sink.close()

    return asyncio.run(send())


@pytest.mark.parametrize(("sink_name", "status", "body"), HIDDEN, ids=[f"{one[0]}-{n}" for n, one in enumerate(HIDDEN)])
def test_an_answer_that_is_no_success(httpserver: HTTPServer, sink_name: str, status: int, body: bytes) -> None:
    assert not is_taken(httpserver, sink_name, status, body)


@pytest.mark.parametrize("sink_name", HTTP)
def test_one_that_is(httpserver: HTTPServer, sink_name: str) -> None:
    assert is_taken(httpserver, sink_name, 200, TAKEN[sink_name])


CONVERSATIONS = [
    ("redis", b"1-1\r\n", b"$3\r\n1-1\r\n", b"-OOM command not allowed\r\n"),
    ("nats", b'"seq":3', b'"seq":3', b'"seq":0'),
    ("nats", b'"seq":3', b'"seq":3', b'"sek":3'),
    ("otlp grpc", b"\0" * 5, b"\0\0\0\0\0", b"\0\0\0\0\4\x0a\x02\x08\x01"),
]


@pytest.mark.parametrize(
    ("name", "marker", "before", "after"), CONVERSATIONS, ids=["redis", "nats 0", "nats none", "otlp grpc"]
)
def test_an_answer_of_a_binary_protocol(name: str, marker: bytes, before: bytes, after: bytes) -> None:
    changed = []

    def change(answer: bytes) -> bytes:
        if marker in answer:
            changed.append(answer)
        return answer.replace(before, after)

    taken = converse(PROTOCOLS[name], None, change)
    assert changed
    assert not taken


@pytest.mark.parametrize("sink_name", sorted(sink.name for sink in schema().sinks))
def test_the_page_answers_for_each_sink(sink_name: str) -> None:
    section = PAGE.read_text().partition("## Can a success hide a refusal?")[2].partition("\n## ")[0]
    assert f"`{sink_name}`" in section
