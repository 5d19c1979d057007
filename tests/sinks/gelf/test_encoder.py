"""Messages of GELF, as Docker's driver makes them."""

import gzip
import json
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugin.sinks.base import Record, RejectError, Sink
from plugin.sinks.gelf.encoder import is_blank
from plugin.sinks.transport.datagram import unpack
from tests.sinks.factories import INFO, NOISE, TIME, origin_of, records_of, sink_of
from tests.sinks.gelf.decoder import Reassembly, decode_stream
from tests.sinks.strategies import batches, in_seconds

UDP = "udp://127.0.0.1:12201"
TCP = "tcp://127.0.0.1:12201"
JAVA_WHITESPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f" + "".join(
    character
    for character in map(chr, range(0x10000))
    if unicodedata.category(character) in {"Zs", "Zl", "Zp"} and character not in "\u00a0\u2007\u202f"
)
"""White space by the documentation of java.lang.Character.isWhitespace."""


def datagrams_of(sink: Sink[Any], *lines: bytes) -> list[bytes]:
    return [bytes(datagram) for datagram in unpack(sink.encode(records_of(sink, lines)))]


def test_a_message_over_tcp_is_that_of_dockers_driver() -> None:
    sink = sink_of(gelf_address=TCP)
    assert sink.encode(records_of(sink, [b'say "hi"\t\0'], origin_of(attributes={"app": "shop"}))) == (
        b'{"version":"1.1","host":"node1","short_message":"say \\"hi\\"\\t\\u0000"'
        b',"timestamp":1700000000.123456789,"level":6'
        b',"_app":"shop"'
        b',"_command":"nginx -g daemon off;"'
        b',"_container_id":"' + b"8c1f" * 16 + b'"'
        b',"_container_name":"web"'
        b',"_created":"2023-11-14T22:00:00.5Z"'
        b',"_image_id":"sha256:' + b"5e" * 32 + b'"'
        b',"_image_name":"nginx:1.27"'
        b',"_tag":"8c1f8c1f8c1f"}\0'
    )


def test_stderr_is_an_error() -> None:
    sink = sink_of(gelf_address=TCP)
    records = [*records_of(sink, [b"out"]), *records_of(sink, [b"err"], source="stderr")]
    assert [message["level"] for message in decode_stream(sink.encode(records))] == [6, 3]


def test_the_time_keeps_its_nanoseconds() -> None:
    sink = sink_of(gelf_address=TCP)
    times = [TIME, 1_700_000_000_000_000_001, 1_000_000_000, 999, -1_500_000_000, -1]
    messages = decode_stream(sink.encode([record for t in times for record in records_of(sink, [b"x"], time=t)]))
    assert [message["timestamp"] for message in messages] == [Decimal(t) / 10**9 for t in times]


def test_blank_lines_are_left_out_as_graylog_refuses_them() -> None:
    for address in (TCP, UDP):
        sink = sink_of(gelf_address=address)
        assert sink.encode(records_of(sink, [b"", b" ", b"\r", b"\t\n"])) == b""
        assert len(sink.encode(records_of(sink, [b"", b"a", b""]))) > 0


def test_attributes_are_named_as_by_dockers_driver_and_never_id() -> None:
    sink = sink_of(gelf_address=TCP)
    origin = origin_of(attributes={"_a": "1", "b.c-d": "2", "id": "3", "tag": "4", "a/b:ü": "5"})
    (message,) = decode_stream(sink.encode(records_of(sink, [b"x"], origin)))
    assert {name: message[name] for name in ("_a", "_b.c-d", "__id", "_tag", "_a_b__")} == {
        "_a": "1",
        "_b.c-d": "2",
        "__id": "3",
        "_tag": "4",
        "_a_b__": "5",
    }


def test_a_container_of_which_only_the_id_is_known_has_all_fields() -> None:
    sink = sink_of(gelf_address=TCP)
    info = type(INFO)(container_id="ab")
    (message,) = decode_stream(sink.encode(records_of(sink, [b"x"], origin_of(info))))
    assert message["_created"] == "0001-01-01T00:00:00Z"
    assert message["_image_name"] == ""


@pytest.mark.parametrize(("kind", "magic"), [("gzip", b"\x1f\x8b"), ("zlib", b"\x78"), ("none", b"{")])
@pytest.mark.parametrize("level", ["-1", "0", "1", "9"])
def test_udp_messages_are_compressed_as_asked(kind: str, magic: bytes, level: str) -> None:
    sink = sink_of(gelf_address=UDP, gelf_compression_type=kind, gelf_compression_level=level)
    (datagram,) = datagrams_of(sink, b"a line")
    reader = Reassembly()
    reader.take(datagram)
    assert datagram.startswith(magic)
    assert reader.messages[0]["short_message"] == "a line"


def test_udp_messages_are_gzipped_at_level_1_by_default() -> None:
    explicit = sink_of(gelf_address=UDP, gelf_compression_type="gzip", gelf_compression_level="1")
    assert datagrams_of(sink_of(gelf_address=UDP), b"a line" * 50) == datagrams_of(explicit, b"a line" * 50)


def test_a_long_message_goes_in_chunks_that_may_arrive_in_any_order() -> None:
    sink = sink_of(gelf_address=UDP, gelf_compression_type="none")
    datagrams = datagrams_of(sink, NOISE[:30_000].encode(), b"short", NOISE[30_000:50_000].encode())
    reader = Reassembly()
    for datagram in reversed(datagrams):
        assert len(datagram) <= 1420
        reader.take(datagram)
    assert reader.is_complete
    assert sorted(message["short_message"] for message in reader.messages) == sorted(
        [NOISE[:30_000], "short", NOISE[30_000:50_000]]
    )


def test_a_message_that_just_fits_is_one_datagram_and_one_more_byte_makes_two_chunks() -> None:
    sink = sink_of(gelf_address=UDP, gelf_compression_type="none")
    room = 1420 - len(datagrams_of(sink, b"x")[0])
    (whole,) = datagrams_of(sink, b"x" * (room + 1))
    assert len(whole) == 1420
    assert [len(chunk) for chunk in datagrams_of(sink, b"x" * (room + 2))] == [1420, 12 + 1421 - 1408]


def test_128_chunks_are_sent_and_129_are_refused() -> None:
    sink = sink_of(gelf_address=UDP, gelf_compression_type="none")
    room = 128 * 1408 - len(datagrams_of(sink, b"x")[0])
    assert len(datagrams_of(sink, b"x" * (room + 1))) == 128
    with pytest.raises(RejectError, match="129 chunks"):
        datagrams_of(sink, b"x" * (room + 2))


def test_a_batch_is_the_same_bytes_each_time_and_messages_have_different_ids() -> None:
    sink = sink_of(gelf_address=UDP, gelf_compression_type="none")
    records = records_of(sink, [b"x" * 2000] * 2)
    records[1].time_nano = records[0].time_nano
    payload = sink.encode(records)
    assert sink.encode(records) == payload
    assert len({bytes(datagram[2:10]) for datagram in unpack(payload)}) == 2


@given(st.lists(st.binary(min_size=1, max_size=3000), max_size=8))
def test_any_bytes_arrive_with_what_is_not_utf8_replaced(lines: list[bytes]) -> None:
    expected = [line.decode(errors="replace") for line in lines if not is_blank_to_java(line)]
    tcp = sink_of(gelf_address=TCP)
    assert [m["short_message"] for m in decode_stream(tcp.encode(records_of(tcp, lines)))] == expected
    reader = Reassembly()
    for datagram in datagrams_of(sink_of(gelf_address=UDP, gelf_compression_type="zlib"), *lines):
        reader.take(datagram)
    assert [m["short_message"] for m in reader.messages] == expected


def is_blank_to_java(line: bytes) -> bool:
    """Return whether Graylog takes a line for blank: of Java's white space alone, which knows separators of ASCII."""
    return not line.decode(errors="replace").strip(JAVA_WHITESPACE)


def plainly(record: Record) -> bytes:
    """Write one record without regard to any other."""
    if is_blank_to_java(record.line):
        return b""
    line = json.dumps(record.line.decode("utf-8", "replace"), ensure_ascii=False).encode()
    time = in_seconds(record.time_nano)
    end: bytes = record.prepared.out if record.source == "stdout" else record.prepared.err
    return b"".join((record.prepared.start.removesuffix(b'"'), line, b',"timestamp":', time, end))


@example(b"\x1c")
@example(b"\xc2\xa0")
@given(st.binary(max_size=5))
def test_what_is_blank_to_java_is_left_out(line: bytes) -> None:
    assert is_blank(line) == is_blank_to_java(line)


@given(st.data())
def test_any_batch_is_its_records_one_by_one(data: st.DataObject) -> None:
    tcp, udp = sink_of(gelf_address=TCP), sink_of(gelf_address=UDP)
    records = data.draw(batches([tcp.prepare(origin_of(tag=tag)) for tag in ("web", "db")]))
    assert tcp.encode(records) == b"".join([plainly(record) for record in records])
    records = data.draw(batches([udp.prepare(origin_of(tag=tag)) for tag in ("web", "db")]))
    datagrams = [bytes(datagram) for datagram in unpack(udp.encode(records))]
    assert [gzip.decompress(datagram) for datagram in datagrams] == [plainly(r) for r in records if plainly(r)]
