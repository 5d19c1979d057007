from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record
from plugin.sinks.loki.encoder import ContainerStream, encode_streams, labels_field, metadata_fields
from tests.sinks.factories import TIME
from tests.sinks.loki.push_decoder import PUSH_REQUEST, decode_push

LONGEST = 256 * 1024

METADATA = {"container_id": "8c1f", "image": "nginx:1.27"}
WEB = {
    source: ContainerStream(labels_field({"app": "web", "source": source}), metadata_fields(METADATA))
    for source in ("stdout", "stderr")
}
BARE = {"stdout": ContainerStream(labels_field({"app": "bare"}), b"")}


def record(
    line: bytes, time_nano: int = TIME, source: str = "stdout", prepared: dict[str, ContainerStream] = WEB
) -> Record:
    return Record(prepared, source, time_nano, line, 0)


def encode_push(records: Sequence[Record], longest: int) -> bytes:
    return b"".join(stream.field() for stream in encode_streams(records, longest))


def lines_of(records: Sequence[Record], longest: int = LONGEST) -> list[str]:
    return [entry.line for entry in decode_push(encode_push(records, longest))]


def test_a_request_byte_for_byte() -> None:
    """Written out by hand after push.proto and protobuf's encoding guide."""
    assert encode_push([record(b"hi", 1_700_000_000_123_456_789, prepared=BARE)], LONGEST) == bytes.fromhex(
        "0a 21"  # 1: StreamAdapter, 33 bytes
        "0a 0c 7b 61 70 70 3d 22 62 61 72 65 22 7d"  # 1: labels {app="bare"}
        "12 11"  # 2: EntryAdapter, 17 bytes
        "0a 0b 08 80 e2 cf aa 06 10 95 9a ef 3a"  # 1: Timestamp, 1: 1700000000, 2: 123456789
        "12 02 68 69"  # 2: line
    )


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=300) | st.sampled_from([b"x" * 127, b"x" * 128, b"y" * 16_300, b"z" * 20_000]),
            st.integers(min_value=-(2**62), max_value=2**62)
            | st.sampled_from([0, 1, 127, 16_383, 16_384, 2**28 - 1, 2**28, 10**9 - 1, 10**9, TIME]),
            st.sampled_from(["stdout", "stderr"]),
            st.sampled_from([WEB, dict(WEB), {"stdout": WEB["stdout"]}]),
        )
    )
)
def test_any_records_are_what_googles_library_would_write(
    records: list[tuple[bytes, int, str, dict[str, ContainerStream]]],
) -> None:
    expected = PUSH_REQUEST()
    streams = {}
    for line, time_nano, source, prepared in records:
        if source not in prepared:
            continue
        if not line.decode("utf-8", "replace").strip("\t\n\v\f\r \x85\xa0\u2000\u3000"):
            continue
        if source not in streams:
            streams[source] = expected.streams.add(labels=f'{{app="web", source="{source}"}}')
        entry = streams[source].entries.add(line=line.decode("utf-8", "replace"))
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(time_nano, 10**9)
        entry.timestamp.SetInParent()
        for name, value in METADATA.items():
            entry.structuredMetadata.add(name=name, value=value)
    encoded = encode_push([record(*values) for values in records], LONGEST)
    assert encoded == expected.SerializeToString(deterministic=True)


def test_entries_are_grouped_by_labels_and_keep_their_order() -> None:
    records = [
        record(b"1"),
        record(b"2", source="stderr"),
        record(b"3", prepared=BARE),
        record(b"4"),
        record(b"5", prepared=dict(BARE)),
        record(b"6", time_nano=TIME - 1),
    ]
    decoded = decode_push(encode_push(records, LONGEST))
    assert [(entry.labels, entry.line) for entry in decoded] == [
        ('{app="web", source="stdout"}', "1"),
        ('{app="web", source="stdout"}', "4"),
        ('{app="web", source="stdout"}', "6"),
        ('{app="web", source="stderr"}', "2"),
        ('{app="bare"}', "3"),
        ('{app="bare"}', "5"),
    ]


@pytest.mark.parametrize("line", ["", " ", "\t \r\f\v", "\u00a0", "\u0085", "\u2003\u3000 ", "\u1680\u2028"])
def test_blank_lines_are_left_out(line: str) -> None:
    assert encode_push([record(line.encode())], LONGEST) == b""
    assert lines_of([record(line.encode() + b"x")]) == [line + "x"]


def test_what_only_looks_blank_is_kept() -> None:
    lines = ["\x1c", "\u200b", "\u00e9", " \u2060"]
    assert lines_of([record(line.encode()) for line in lines]) == lines


def test_a_source_without_a_stream_is_left_out() -> None:
    assert encode_push([record(b"x", source="stderr", prepared=BARE)], LONGEST) == b""
    assert lines_of([record(b"x", prepared={}), record(b"y")]) == ["y"]


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    assert lines_of([record(b"a\xff\xc3z"), record("ü".encode())]) == ["a\ufffd\ufffdz", "ü"]


@given(st.text(alphabet="aé€😀", min_size=1, max_size=60), st.integers(min_value=4, max_value=20))
def test_long_lines_are_cut_between_characters(line: str, longest: int) -> None:
    pieces = lines_of([record(line.encode())], longest)
    assert "".join(pieces) == line
    assert all(len(piece.encode()) <= longest for piece in pieces)
    assert all(len(piece.encode()) > longest - 4 for piece in pieces[:-1])


def test_labels_are_sorted_and_quoted_as_go_does() -> None:
    """The values of ``strconv.Quote``."""
    field = labels_field({"b": 'say "hi" \\ ü', "a": "tab\tline\nnul\0del\x7f", "empty": ""})
    assert field[2:].decode() == '{a="tab\\tline\\nnul\\x00del\\x7f", b="say \\"hi\\" \\\\ ü"}'
