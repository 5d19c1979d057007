"""Events, checked by the limits of PutLogEvents."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given

from plugin.sinks.awslogs.encoder import BETWEEN_EVENTS, LONGEST_MESSAGE, LogStream, encode_batch, read_batch
from plugin.sinks.base import Record
from tests.sinks.awslogs.receiver import check_events
from tests.sinks.factories import TIME
from tests.sinks.strategies import batches

WEB = LogStream("web", "8c1f" * 16)
DB = LogStream("db", "9d2e" * 16)
MILLISECOND = 1_000_000
DAY = 24 * 3600 * 1000 * MILLISECOND


def requests_of(*records: Record) -> dict[str, list[list[dict[str, Any]]]]:
    """Encode records, and read the requests of each stream, which the limits must allow."""
    batch = read_batch(encode_batch(records))
    assert batch.records == len(records)
    made = {}
    for stream, requests in batch.requests.items():
        made[stream] = [json.loads(b"[%b]" % request) for request in requests]
        for request, events in zip(requests, made[stream], strict=True):
            check_events(events)
            assert list(map(json.loads, request.split(BETWEEN_EVENTS))) == events
    return made


def events_of(*records: Record, stream: str = "web") -> list[dict[str, Any]]:
    return [event for request in requests_of(*records)[stream] for event in request]


def messages_of(*records: Record) -> list[str]:
    return [event["message"] for event in events_of(*records)]


def test_an_event_of_dockers_driver() -> None:
    assert requests_of(Record(WEB, "stderr", TIME, b'a "line"\xff\n', 7)) == {
        "web": [[{"timestamp": 1_700_000_000_123, "message": 'a "line"�\n'}]]
    }


def test_streams_of_several_containers() -> None:
    records = [Record(stream, "stdout", TIME, b"%d" % number) for number in range(3) for stream in (WEB, DB)]

    assert {
        stream: [event["message"] for event in request] for stream, (request,) in requests_of(*records).items()
    } == {
        "web": ["0", "1", "2"],
        "db": ["0", "1", "2"],
    }


def test_events_are_in_the_order_of_their_milliseconds_and_then_of_the_records() -> None:
    times = [3, 1, 2, 1, 3, 0]
    records = [Record(WEB, "stdout", TIME + time * MILLISECOND, b"%d" % n) for n, time in enumerate(times)]
    assert messages_of(*records) == ["5", "1", "3", "2", "0", "4"]
    within = [Record(WEB, "stdout", TIME + nanos, b"%d" % n) for n, nanos in enumerate([500, 100, 300])]
    assert messages_of(*within) == ["0", "1", "2"]


def test_empty_lines_are_left_out_as_by_dockers_driver() -> None:
    assert messages_of(*(Record(WEB, "stdout", TIME, line) for line in (b"", b" ", b"", b"x"))) == [" ", "x"]
    assert requests_of(Record(WEB, "stdout", TIME, b"")) == {}
    assert requests_of() == {}


@pytest.mark.parametrize(
    ("line", "sizes"),
    [
        (b"x" * LONGEST_MESSAGE, [LONGEST_MESSAGE]),
        (b"x" * (LONGEST_MESSAGE + 1), [LONGEST_MESSAGE, 1]),
        (b"x" * (2 * LONGEST_MESSAGE), [LONGEST_MESSAGE] * 2),
        # Between characters, and what is not UTF-8 counts as the three bytes that stand for it.
        (b"x" + "ü".encode() * (LONGEST_MESSAGE // 2), [LONGEST_MESSAGE - 1, 2]),
        ("😀".encode() * (LONGEST_MESSAGE // 4 + 1), [LONGEST_MESSAGE // 4 * 4, 4]),
        (b"\xff" * (LONGEST_MESSAGE // 3), [LONGEST_MESSAGE // 3 * 3]),
        (b"\xff" * (LONGEST_MESSAGE // 3 + 1), [LONGEST_MESSAGE // 3 * 3, 3]),
        (b'"' * (1 << 20), [*[LONGEST_MESSAGE] * 4, 104]),
    ],
    ids=["longest", "one more", "two", "two bytes", "four bytes", "not UTF-8", "not UTF-8, one more", "a MiB"],
)
def test_a_line_that_is_too_long_for_an_event_is_several(line: bytes, sizes: list[int]) -> None:
    messages = messages_of(Record(WEB, "stdout", TIME, line))
    assert [len(message.encode()) for message in messages] == sizes
    assert "".join(messages) == line.decode("utf-8", "replace")


def lengths(*records: Record) -> list[int]:
    return [len(request) for request in requests_of(*records)["web"]]


def test_a_request_has_at_most_ten_thousand_events() -> None:
    assert lengths(*(Record(WEB, "stdout", TIME, b"x") for _ in range(20_001))) == [10_000, 10_000, 1]


def test_a_request_has_at_most_a_mebibyte() -> None:
    exact = 1_048_576 // 8 - 26
    assert lengths(*(Record(WEB, "stdout", TIME, b"x" * exact) for _ in range(16))) == [8, 8]
    assert lengths(*(Record(WEB, "stdout", TIME, b"x" * (exact + 1)) for _ in range(16))) == [7, 7, 2]
    assert lengths(*(Record(WEB, "stdout", TIME, "ü".encode() * (exact // 2)) for _ in range(16))) == [8, 8]


def test_a_request_spans_at_most_a_day() -> None:
    times = [0, DAY, DAY + MILLISECOND, 2 * DAY, 3 * DAY]
    assert lengths(*(Record(WEB, "stdout", TIME + time, b"x") for time in times)) == [2, 2, 1]
    early = [0, DAY - MILLISECOND, DAY + MILLISECOND]
    assert lengths(*(Record(WEB, "stdout", time, b"x") for time in early)) == [2, 1]


def test_times_before_1970_are_its_beginning(caplog: pytest.LogCaptureFixture) -> None:
    stream = LogStream("web", "1970" * 16)
    (event,) = events_of(Record(stream, "stdout", -1, b"x"))
    assert event["timestamp"] == 0
    assert (
        "container 197019701970, sink awslogs: time 1969-12-31T23:59:59Z is out of the protocol's range" in caplog.text
    )
    assert caplog.records[-1].levelno == logging.WARNING


def test_fields_make_a_json_object_of_the_message() -> None:
    fields = {"order": 7, "deep": {"a": [1, None]}}
    before, made, level, none, after = messages_of(
        Record(WEB, "stdout", TIME, b"before"),
        Record(WEB, "stdout", TIME, b'a "line"\xff', fields=fields, severity=17),
        Record(WEB, "stdout", TIME, b"level alone", severity=17),
        Record(WEB, "stdout", TIME, b"none", fields={}),
        Record(WEB, "stdout", TIME, b"after"),
    )
    assert json.loads(made) == {"log": 'a "line"�', "level": "error", "fields": fields}
    assert (before, level, none, after) == ("before", "level alone", "none", "after")


def test_a_line_with_fields_that_is_too_long_is_several_events() -> None:
    messages = messages_of(Record(WEB, "stdout", TIME, b"x" * 300_000, fields={"large": "ü" * 200_000}))
    assert len(messages) == 3
    assert json.loads("".join(messages))["fields"] == {"large": "ü" * 200_000}


@given(batches([WEB, DB]))
def test_every_batch_is_within_the_limits_and_whole(records: list[Record]) -> None:
    expected: dict[str, list[tuple[int, str]]] = {}
    for record in records:
        if record.line:
            event = max(record.time_nano // MILLISECOND, 0), record.line.decode("utf-8", "replace")
            expected.setdefault(record.prepared.name, []).append(event)
    made = {
        stream: [(event["timestamp"], event["message"]) for request in requests for event in request]
        for stream, requests in requests_of(*records).items()
    }
    assert made == {stream: sorted(events, key=lambda event: event[0]) for stream, events in expected.items()}
