"""The collector takes the events before an invalid one, and names it: they are not sent again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug.serving import WSGIRequestHandler

from plugin.delivery.destination import Destination
from plugin.delivery.destination_key import DeliverySettings
from plugin.delivery.origin import make_origin
from plugin.delivery.tail import Tail
from plugin.docker.frames import Entry
from plugin.journal.cursors.store import Cursor
from plugin.sinks.base import RejectError
from tests.delivery.conftest import CHOICE, Journal, deliver
from tests.sinks.factories import INFO, TIME, records_of, sink_of
from tests.sinks.http_servers import answer_by, failure_of, http_server
from tests.sinks.splunk.collector import Collector

TOKEN = "t0ken"  # noqa: S105 (it guards nothing)
QUICK = DeliverySettings(batch_wait=0.01, batch_size=100_000, retry_min=0.005, retry_max=0.05)


@pytest.fixture(autouse=True)
def splunkd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server say who it is, as Splunk does."""
    monkeypatch.setattr(WSGIRequestHandler, "version_string", lambda _: "Splunkd")


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        yield server


def options(server: HTTPServer, **more: str) -> dict[str, str]:
    return {"splunk_url": f"http://127.0.0.1:{server.port}", "splunk_token": TOKEN, **more}


@pytest.mark.parametrize("splunk", [True, False])
@pytest.mark.parametrize("form", ["inline", "json", "raw"])
def test_all_arrives_but_what_is_invalid(
    server: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, *, splunk: bool
) -> None:
    if not splunk:
        monkeypatch.setattr(WSGIRequestHandler, "version_string", lambda _: "another")
    collector = Collector(TOKEN, splunk=splunk)
    answer_by(server, collector.answer)
    sink = sink_of(**options(server, splunk_format=form, splunk_gzip="true"))
    journal = Journal(tmp_path / ("a" * 64))
    lines = [b"" if number % 7 == 0 else b"line %d" % number for number in range(300)]
    for number in (5, 100, 101):
        lines[number] = b"invalid %d" % number
    journal.write(*(Entry("stdout", TIME, line) for line in lines))
    destination = Destination("splunk", sink, QUICK)
    prepared = sink.prepare(make_origin(INFO, CHOICE, TIME))
    tail = Tail(journal.folder, "splunk", sink, prepared, Cursor(offset=0, resume=0))
    destination.add(tail)
    deliver(destination, lambda: tail.cursor.offset >= journal.writer.offset)
    journal.close()
    asyncio.run(sink.close())
    events = [event["event"] for event in collector.events]
    texts = [event if form == "raw" else event["line"] for event in events]
    kept = [line.decode() for line in lines if not line.startswith(b"invalid") and (line or form != "raw")]
    assert [text.removeprefix(f"{INFO.id} ") for text in texts] == kept, "each once, in order"
    assert destination.state.dead == 3
    assert collector.requests < 15


@pytest.mark.parametrize(
    ("form", "index"),
    [("inline", 3), ("raw", 3)],
)
def test_the_number_is_that_of_the_record(server: HTTPServer, form: str, index: int) -> None:
    answer_by(server, Collector(TOKEN).answer)
    sink = sink_of(**options(server, splunk_format=form))
    fault = failure_of(sink, b"a", b"" if form == "raw" else b"b", b"c", b"invalid", b"d")
    assert isinstance(fault, RejectError)
    assert (fault.index, fault.took_those_before) == (index, True)


def test_what_is_not_known_to_be_indexed_is_not_known_to_be_taken(server: HTTPServer) -> None:
    answer_by(server, Collector(TOKEN, acknowledges=0).answer)
    fault = failure_of(sink_of(**options(server, splunk_index_acknowledgment="true")), b"a", b"invalid")
    assert isinstance(fault, RejectError)
    assert (fault.index, fault.took_those_before) == (1, False)


def test_a_payload_of_which_the_records_are_not_known_has_no_place(server: HTTPServer) -> None:
    answer_by(server, Collector(TOKEN).answer)
    sink = sink_of(**options(server))

    async def send() -> None:
        payload = sink.encode(records_of(sink, [b"a", b"invalid"]))
        sink.encode(records_of(sink, [b"b"]))
        try:
            await sink.send(payload)
        finally:
            await sink.close()

    with pytest.raises(RejectError) as caught:
        asyncio.run(send())
    assert caught.value.index is None
