"""Lines of Docker's json-file driver, byte for byte."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.info import Info
from plugin.sinks.base import Record, Sink
from plugin.sinks.json_file import encoder as encoder_module
from tests.sinks.factories import origin_of, records_of, sink_of
from tests.sinks.strategies import SECOND, batches

OTHER = Info(container_id="ab" * 32, container_name="/db")


def lines_of(sink: Sink[Any], *lines: bytes, **made: Any) -> str:
    """Return what the file of one container gets for these lines."""
    payload = sink.encode(records_of(sink, lines, made.pop("origin", None) or origin_of(tag=""), **made))
    _, content = msgpack.unpackb(payload)
    return str(content, "utf-8")


def encoder() -> Sink[Any]:
    return sink_of(json_file_path="/var/log/containers/{{.Name}}.log")


@pytest.mark.parametrize(
    ("line", "expected"),
    [  # those of TestJSONLogsMarshalJSONBuf in moby's jsonlogbytes_test.go
        (b'"A log line with \\\\"', rb"\"A log line with \\\\\""),
        (b"A log line", b"A log line"),
        (b"A log line with \r", rb"A log line with \r"),
        (b"A log line with & < >", rb"A log line with \u0026 \u003c \u003e"),
        ("A log line with utf8 : 🚀 ψ ω β".encode(), "A log line with utf8 : 🚀 ψ ω β".encode()),
        ("\u2028 \u2029".encode(), rb"\u2028 \u2029"),
        (b"\xaf", rb"\ufffd"),
        (b"\x7f", b"\x7f"),
        # and more, of the rules in jsonlogbytes.go
        (b"\t\b\f\0\x1f", rb"\u0009\u0008\u000c\u0000\u001f"),
        (b"\xe2\x82x\xed\xa0\x80\xf0\x9f\x9a", rb"\ufffd\ufffdx\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"),
        ("\ufffd".encode(), "\ufffd".encode()),
        (b"with \n inside", rb"with \n inside"),
        (b"", b""),
    ],
)
def test_a_line_is_escaped_as_docker_does(line: bytes, expected: bytes) -> None:
    for others in ((), (b"plain",), ("größer".encode(),), (b"two\nlines\x01",)):
        escaped = encoder_module.escape([*others, line, *others])
        assert escaped[len(others)] == expected


@given(st.lists(st.binary()))
def test_lines_escaped_together_are_as_if_each_alone(lines: list[bytes]) -> None:
    assert encoder_module.escape(lines) == [goes_escape(line).encode() for line in lines]


def test_a_line_is_an_object_in_dockers_order() -> None:
    assert lines_of(encoder(), b"line1") == (
        '{"log":"line1\\n","stream":"stdout","time":"2023-11-14T22:13:20.123456789Z"}\n'
    )


def test_attributes_and_the_tag_are_sorted_and_escaped_as_go_does() -> None:
    attributes = {"zone": "a&b", "app": "<\u2028ü\t\x7f", "tag": "label"}
    assert lines_of(encoder(), b"x", source="stderr", origin=origin_of(tag="8c1f/web", attributes=attributes)) == (
        '{"log":"x\\n","stream":"stderr","attrs":{"app":"\\u003c\\u2028ü\\t\x7f","tag":"8c1f/web","zone":"a\\u0026b"}'
        ',"time":"2023-11-14T22:13:20.123456789Z"}\n'
    )


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        (-(2**63), "1677-09-21T00:12:43.145224192Z"),
    ],
)
def test_times_are_rfc3339_without_zeros_at_their_end(time: int, expected: str) -> None:
    assert json.loads(lines_of(encoder(), b"x", time=time))["time"] == expected


def test_only_the_last_part_of_a_line_has_a_newline() -> None:
    sink = encoder()
    assert not sink.joins_parts
    records = records_of(sink, [b"one", b"", b"two"], origin_of(tag=""), time=5)
    for ordinal, record in enumerate(records, start=1):
        record.part_id, record.part_ordinal, record.time_nano = "1f00", ordinal, 5
    records[-1].part_last = True
    _, content = msgpack.unpackb(sink.encode(records))
    assert content.decode().splitlines() == [
        '{"log":"one","stream":"stdout","time":"1970-01-01T00:00:00.000000005Z"}',
        '{"stream":"stdout","time":"1970-01-01T00:00:00.000000005Z"}',
        '{"log":"two\\n","stream":"stdout","time":"1970-01-01T00:00:00.000000005Z"}',
    ]


@given(st.data())
def test_any_batch_is_its_records_one_by_one_in_their_files(data: st.DataObject) -> None:
    sink = encoder()
    origins = [origin_of(tag=""), origin_of(OTHER, attributes={"app": "a&b\ud800"})]
    records = data.draw(batches([sink.prepare(origin) for origin in (*origins, origins[0])]))
    files: dict[bytes, bytes] = {}
    for record in records:
        path = record.prepared.path
        files[path] = files.get(path, b"") + plainly(record).encode()
    assert sink.encode(records) == b"".join(map(msgpack.packb, files.items()))


def plainly(record: Record) -> str:
    """Write one record without regard to any other."""
    after = record.prepared.after_line[record.source].decode()
    line = goes_escape(record.line) + ("" if record.part_ordinal and not record.part_last else "\\n")
    seconds, nanos = divmod(record.time_nano, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    fraction = f".{nanos:09}".rstrip("0").rstrip(".")
    begin = f'{{"log":"{line}{after}' if line else "{" + after.removeprefix('",')
    return f'{begin}{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"}}\n'


def goes_escape(line: bytes) -> str:
    """Escape a line rune by rune, as ``ffjsonWriteJSONBytesAsString`` of moby's jsonlogbytes.go does."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r"}
    escaped = ""
    while line:
        size = next((size for size in range(1, 5) if is_rune(line[:size])), 0)
        rune = line[:size].decode() if size else ""
        line = line[size or 1 :]
        if not rune:
            escaped += "\\ufffd"
        elif rune in short:
            escaped += short[rune]
        elif rune < " " or rune in "<>&\u2028\u2029":
            escaped += f"\\u{ord(rune):04x}"
        else:
            escaped += rune
    return escaped


def is_rune(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False
