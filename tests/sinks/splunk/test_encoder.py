"""Events of Docker's splunk driver, byte for byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record, Sink
from tests.sinks.factories import origin_of, records_of, sink_of
from tests.sinks.strategies import batches, in_seconds


def splunk(**options: str) -> Sink[Any]:
    return sink_of(splunk_url="http://h:8088", splunk_token="0", **options)  # noqa: S106


def encoded(sink: Sink[Any], *lines: bytes, **origin: Any) -> bytes:
    return sink.encode(records_of(sink, lines, origin_of(**origin)))


def test_inline() -> None:
    assert encoded(splunk(), b'say "hi"', b"", attributes={"b": "2", "a": "1"}) == (
        b'{"event":{"line":"say \\"hi\\"","source":"stdout","tag":"8c1f8c1f8c1f","attrs":{"a":"1","b":"2"}}'
        b',"time":"1700000000.123456789","host":"node1"}'
        b'{"event":{"line":"","source":"stdout","tag":"8c1f8c1f8c1f","attrs":{"a":"1","b":"2"}}'
        b',"time":"1700000000.123457789","host":"node1"}'
    )


def test_source_source_type_and_index() -> None:
    sink = splunk(splunk_source="s", splunk_sourcetype="t", splunk_index="main")
    assert encoded(sink, b"x", tag="") == (
        b'{"event":{"line":"x","source":"stdout"},"time":"1700000000.123456789"'
        b',"host":"node1","source":"s","sourcetype":"t","index":"main"}'
    )


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (b'{"a":1}', b'{"a":1}'),
        (b' {"n":12345678901234567890.10} \r', b'{"n":12345678901234567890.10}'),
        (b"[1,2]", b"[1,2]"),
        (b'"text"', b'"text"'),
        (b"null", b"null"),
        (b"-1.5", b"-1.5"),
        (b'{"a":1', b'"{\\"a\\":1"'),
        (b"nul", b'"nul"'),
        (b"NaN", b'"NaN"'),
        (b'{"a":"\xff"}', '"{\\"a\\":\\"\ufffd\\"}"'.encode()),
        (b"1 2", b'"1 2"'),
        (b"", b'""'),
    ],
)
def test_json(line: bytes, written: bytes) -> None:
    assert encoded(splunk(splunk_format="json"), line, tag="") == (
        b'{"event":{"line":' + written + b',"source":"stdout"},"time":"1700000000.123456789","host":"node1"}'
    )


def test_raw() -> None:
    sink = splunk(splunk_format="raw")
    assert encoded(sink, b"one", b"", b" \t", b"two", attributes={"b": "2", "a": "1"}) == (
        b'{"event":"8c1f8c1f8c1f a=1 b=2 one","time":"1700000000.123456789","host":"node1"}'
        b'{"event":"8c1f8c1f8c1f a=1 b=2 two","time":"1700000000.123459789","host":"node1"}'
    )
    assert encoded(sink, b"x", tag="").startswith(b'{"event":"x",')


@given(st.lists(st.binary(max_size=100), min_size=1), st.sampled_from(["inline", "json", "raw"]))
def test_any_bytes_make_valid_json(lines: list[bytes], form: str) -> None:
    content = encoded(splunk(splunk_format=form), *lines).decode()
    position, count = 0, 0
    while position < len(content):
        _, position = json.JSONDecoder().raw_decode(content, position)
        count += 1
    assert count == len(lines) or form == "raw"


def plainly(record: Record, form: str) -> bytes:
    """Write one record without regard to any other."""
    prepared = record.prepared
    line = record.line.decode("utf-8", "replace")
    if form == "raw":
        if not line.strip():
            return b""
        begin = b'{"event":' + json.dumps(prepared.prefix.decode() + line, ensure_ascii=False).encode() + b',"time":"'
    else:
        is_json = form == "json" and reads_as_json(record.line)
        value = record.line.strip(b" \t\r\n") if is_json else json.dumps(line, ensure_ascii=False).encode()
        begin = b'{"event":{"line":' + value + prepared.after_line[record.source]
    return begin + in_seconds(record.time_nano) + bytes(prepared.after_time)


def reads_as_json(line: bytes) -> bool:
    try:
        json.loads(line.decode(), parse_constant=int)
    except ValueError:
        return False
    return not line.startswith(b"\n")


@pytest.mark.parametrize("form", ["inline", "json", "raw"])
@given(data=st.data())
def test_any_batch_is_its_records_one_by_one(form: str, data: st.DataObject) -> None:
    sink = splunk(splunk_format=form)
    records = data.draw(batches([sink.prepare(origin_of(tag=tag)) for tag in ("web", "db")]))
    assert sink.encode(records) == b"".join([plainly(record, form) for record in records])
