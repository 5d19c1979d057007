"""Frames: what the engine writes, byte for byte, and what becomes of bytes that it would never write."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.frames import (
    HEADER_SIZE,
    MAX_ENTRY_SIZE,
    Entry,
    Fields,
    FrameError,
    PartialMetadata,
    decode_entry,
    encode_frame,
    encode_varint,
    entry_size,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
METADATA = st.builds(PartialMetadata, last=st.booleans(), id=TEXT, ordinal=st.integers(-(2**31), 2**31 - 1))
ENTRIES = st.builds(
    Entry,
    source=TEXT,
    time_nano=INT64,
    line=st.binary(max_size=300),
    partial=st.booleans(),
    metadata=st.none() | METADATA,
    attrs=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)

VECTORS = [
    (Entry("", 0, b""), "00000000"),
    (Entry("stdout", 0, b""), "00000008 0a06 7374646f7574"),
    (Entry("stderr", 1, b"x"), "0000000d 0a06 737464657272 1001 1a01 78"),
    (Entry("stdout", 127, b""), "0000000a 0a06 7374646f7574 107f"),
    (Entry("stdout", 128, b""), "0000000b 0a06 7374646f7574 108001"),
    (
        Entry("stdout", 1700000000123456789, b"hello"),
        "00000019 0a06 7374646f7574 10 959a97ece39fe7cb17 1a05 68656c6c6f",
    ),
    (Entry("stdout", -1, b""), "00000013 0a06 7374646f7574 10 ffffffffffffffffff01"),
    (Entry("stdout", -(2**63), b""), "00000013 0a06 7374646f7574 10 80808080808080808001"),
    (Entry("stdout", 2**63 - 1, b""), "00000012 0a06 7374646f7574 10 ffffffffffffffff7f"),
    (Entry("", 0, b"", partial=True), "00000002 2001"),
    (Entry("", 0, b"", metadata=PartialMetadata()), "00000002 2a00"),
    (
        Entry("stdout", 5, b"ab", partial=True, metadata=PartialMetadata(last=True, id="abc", ordinal=300)),
        "0000001c 0a06 7374646f7574 1005 1a02 6162 2001 2a0a 0801 1203 616263 18ac02",
    ),
    (Entry("", 0, b"", metadata=PartialMetadata(ordinal=-1)), "0000000d 2a0b 18 ffffffffffffffffff01"),
    (
        Entry("", 0, b"", attrs=(("k", "v"), ("", ""), ("key", ""))),
        "00000011 3206 0a016b 120176 3200 3205 0a03 6b6579",
    ),
    (Entry("", 0, b"\x00\xff\n" * 50), "00000099 1a9601" + "00ff0a" * 50),
]


def decode(body: bytes) -> Entry:
    return decode_entry(body, 0, len(body))


def body(text: str) -> bytes:
    return bytes.fromhex(text)


class TestEncoding:
    @pytest.mark.parametrize(("entry", "encoded"), VECTORS)
    def test_frames_are_those_of_the_engine(self, entry: Entry, encoded: str) -> None:
        assert encode_frame(entry) == bytes.fromhex(encoded)

    @pytest.mark.parametrize(("entry", "encoded"), VECTORS)
    def test_frames_of_the_engine_are_understood(self, entry: Entry, encoded: str) -> None:
        frame = bytes.fromhex(encoded)
        assert entry_size(frame, 0) == len(frame) - HEADER_SIZE
        assert decode_entry(frame, HEADER_SIZE, len(frame)) == entry

    @given(ENTRIES)
    def test_round_trip(self, entry: Entry) -> None:
        frame = encode_frame(entry)
        assert decode_entry(frame, HEADER_SIZE, len(frame)) == entry

    @given(ENTRIES, st.binary(max_size=20), st.binary(max_size=20))
    def test_an_entry_is_decoded_from_the_middle_of_a_buffer(self, entry: Entry, before: bytes, after: bytes) -> None:
        frame = encode_frame(entry)
        start = len(before) + HEADER_SIZE
        assert decode_entry(before + frame + after, start, len(before) + len(frame)) == entry

    def test_no_protobuf_library_is_needed(self) -> None:
        spec = find_spec("plugin.docker.frames")
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).with_name("frames.py").read_text()
        imported = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
        assert imported == {"dataclasses", "plugin.errors"}


class TestSize:
    @given(st.integers(0, 2**32 - 1), st.integers(0, 3))
    def test_is_32_bits_without_a_sign(self, size: int, position: int) -> None:
        assert entry_size(b"\xff" * position + size.to_bytes(4, "big") + b"\xff", position) == size

    def test_an_entry_may_have_a_mebibyte(self) -> None:
        assert MAX_ENTRY_SIZE == 1 << 20


class TestVarints:
    @pytest.mark.parametrize(
        ("number", "encoded"),
        # The examples of protobuf's encoding guide, and the bounds.
        [(1, "01"), (150, "9601"), (0, "00"), (-2, "feffffffffffffffff01"), (2**63 - 1, "ffffffffffffffff7f")],
    )
    def test_a_number_is_written_as_protobuf_has_it(self, number: int, encoded: str) -> None:
        assert encode_varint(number).hex() == encoded

    @pytest.mark.parametrize("length", range(1, 11))
    def test_every_length_is_read(self, length: int) -> None:
        for value in (1 << 7 * (length - 1), min((1 << 7 * length) - 1, 2**64 - 1)):
            encoded = encode_varint(value)
            assert len(encoded) == length
            signed = value - (1 << 64) if value >= 1 << 63 else value
            assert decode(b"\x10" + encoded).time_nano == signed

    @pytest.mark.parametrize("length", range(1, 11))
    def test_a_number_may_take_more_bytes_than_it_needs(self, length: int) -> None:
        overlong = bytes([0x85] + [0x80] * (length - 2) + [0x00]) if length > 1 else b"\x05"
        assert len(overlong) == length
        assert decode(b"\x10" + overlong).time_nano == 5

    @pytest.mark.parametrize(
        "varint",
        [
            "ffffffffffffffffff02",  # a 65th bit
            "8080808080808080808000",  # eleven bytes
            "ffffffffffffffffffff01",
            "80" * 20,
        ],
    )
    def test_one_of_more_than_64_bits_is_refused(self, varint: str) -> None:
        for malformed in (
            b"\x10" + body(varint),  # a value
            b"\x1a" + body(varint),  # a length
            body(varint),  # a key
            b"\xf8\x01" + body(varint),  # the value of an unknown field
            b"\x2a" + bytes([len(body(varint)) + 1]) + b"\x18" + body(varint),  # in the metadata
        ):
            with pytest.raises(FrameError):
                decode(malformed)

    @pytest.mark.parametrize("length", range(2, 11))
    def test_one_that_is_cut_off_is_refused(self, length: int) -> None:
        whole = encode_varint(1 << 7 * (length - 1))
        for cut in range(length):
            with pytest.raises(FrameError):
                decode(b"\x10" + whole[:cut])
            with pytest.raises(FrameError):  # the next byte of the buffer does not belong to the entry
                decode_entry(b"\x10" + whole, 0, 1 + cut)

    @given(INT64)
    def test_negative_ones_are_64_bit_twos_complements(self, value: int) -> None:
        assert decode(b"\x10" + encode_varint(value)).time_nano == value

    @given(st.integers(-(2**31), 2**31 - 1))
    def test_an_int32_is_sent_as_64_bits_and_cut_to_32(self, value: int) -> None:
        for encoded in (encode_varint(value), encode_varint(value & 0xFFFFFFFF)):
            metadata = decode(b"\x2a" + bytes([1 + len(encoded)]) + b"\x18" + encoded).metadata
            assert metadata == PartialMetadata(ordinal=value)

    @given(st.integers(2, 2**64 - 1))
    def test_any_number_but_zero_means_true(self, value: int) -> None:
        assert decode(b"\x20" + encode_varint(value)).partial
        assert not decode(b"\x20\x80\x00").partial


def unknown_fields() -> st.SearchStrategy[bytes]:
    """Fields of numbers that ``LogEntry`` and its metadata do not have, of each wire type that still exists."""
    numbers = st.integers(7, 2**29 - 1)
    varint = st.builds(lambda n, v: encode_varint(n << 3) + encode_varint(v), numbers, UINT64)
    fixed64 = st.builds(lambda n, v: encode_varint(n << 3 | 1) + v, numbers, st.binary(min_size=8, max_size=8))
    delimited = st.builds(
        lambda n, v: encode_varint(n << 3 | 2) + encode_varint(len(v)) + v, numbers, st.binary(max_size=200)
    )
    fixed32 = st.builds(lambda n, v: encode_varint(n << 3 | 5) + v, numbers, st.binary(min_size=4, max_size=4))
    return varint | fixed64 | delimited | fixed32


class TestUnknownFields:
    @given(st.data())
    def test_are_skipped_wherever_they_stand(self, data: st.DataObject) -> None:
        known = [body("0a06 7374646f7574"), body("1005"), body("1a02 6162"), body("2001")]
        metadata = [body("0801"), body("1203 616263"), body("1802")]
        noise = st.lists(unknown_fields(), max_size=2).map(b"".join)
        inner = b"".join(data.draw(noise) + field for field in data.draw(st.permutations(metadata)))
        inner += data.draw(noise)
        known.append(b"\x2a" + encode_varint(len(inner)) + inner)
        message = b"".join(data.draw(noise) + field for field in data.draw(st.permutations(known))) + data.draw(noise)
        expected = Entry("stdout", 5, b"ab", partial=True, metadata=PartialMetadata(last=True, id="abc", ordinal=2))
        assert decode(message) == expected

    @given(unknown_fields(), st.data())
    def test_one_that_is_cut_off_is_refused(self, field: bytes, data: st.DataObject) -> None:
        cut = data.draw(st.integers(1, len(field) - 1))
        with pytest.raises(FrameError):
            decode(body("0a06 7374646f7574") + field[:cut])

    @pytest.mark.parametrize("wire_type", [3, 4, 6, 7])
    def test_groups_and_unassigned_wire_types_are_refused(self, wire_type: int) -> None:
        with pytest.raises(FrameError):
            decode(encode_varint(9 << 3 | wire_type) + b"\0" * 16)

    def test_the_last_of_a_repeated_field_counts(self) -> None:
        assert decode(body("0a0161 1001 1a0162 0a0163 1002 1a0164")) == Entry("c", 2, b"d")


class TestMalformed:
    @pytest.mark.parametrize(
        "message",
        [
            "0801",  # source is not a number
            "12 00",  # time is no text
            "1801",
            "2200",
            "2801",
            "3001",
            "09 0000000000000000",  # no field of ours has a fixed size
            "15 00000000",
            "00 00",  # there is no field 0
            "02 00",
            "05 00000000",
            "0a",  # a length is missing
            "0a07 7374646f7574",  # the value is longer than the entry
            "1a ffffffffffffffffff01",  # the length would be negative
            "1a ffffffffffffffff7f",
            "10",
            "2a02 08",  # in the metadata: cut off by the entry's end
        ],
    )
    def test_fields_are_refused(self, message: str) -> None:
        with pytest.raises(FrameError):
            decode(body(message))

    @pytest.mark.parametrize(
        "metadata",
        [
            "08",
            "0a00",  # last is no text
            "1001",  # id is not a number
            "1a00",
            "1205 6162",  # longer than the metadata
            "12 ffffffffffffffffff01",
            "0000",
            "0200",
            "0b",  # groups
            "0c",
            "09 0000000000000000",
            "39 00000000000000",
            "3d 000000",
        ],
    )
    def test_metadata_is_refused(self, metadata: str) -> None:
        nested = b"\x2a" + bytes([len(body(metadata))]) + body(metadata)
        for message in (nested, nested + body("1a0161"), nested + b"\x01" * 40):
            with pytest.raises(FrameError):
                decode(message)

    @pytest.mark.parametrize(
        "attribute", ["0a", "0a05 61", "12 ffffffffffffffffff01", "0b", "0c", "0e", "0b 00000000", "0d 0000"]
    )
    def test_attributes_are_refused(self, attribute: str) -> None:
        nested = b"\x32" + bytes([len(body(attribute))]) + body(attribute)
        with pytest.raises(FrameError):
            decode(nested + body("1a0161"))

    def test_the_message_says_what_was_found(self) -> None:
        with pytest.raises(FrameError, match=r"^3 bytes are not a LogEntry: 00 00 00 …$"):
            decode(b"\0\0\0")

    @given(st.binary(max_size=200))
    def test_random_bytes_are_an_entry_or_a_frame_error(self, message: bytes) -> None:
        try:
            entry = decode(message)
        except FrameError:
            return
        assert decode(encode_frame(entry)[HEADER_SIZE:]) == entry

    @given(ENTRIES, st.data())
    def test_damaged_entries_are_an_entry_or_a_frame_error(self, entry: Entry, data: st.DataObject) -> None:
        message = bytearray(encode_frame(entry)[HEADER_SIZE:])
        for _ in range(data.draw(st.integers(1, 3))):
            if message:
                message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
        try:
            decode(bytes(message))
        except FrameError:
            return

    @given(ENTRIES, st.binary(max_size=4))
    def test_nothing_outside_the_entry_is_looked_at(self, entry: Entry, behind: bytes) -> None:
        message = encode_frame(entry)[HEADER_SIZE:]
        fields = Fields()
        for cut in range(len(message)):
            alone, within = decodes(message[:cut], cut), decodes(message + behind, cut)
            assert alone == within
            assert fields.locate(message, 0, cut) or not alone

    def test_text_that_is_no_utf8_is_replaced_and_a_line_stays(self) -> None:
        entry = decode(body("0a02 ff61 1a02 fffe 2a04 1202 80 62"))
        assert entry == Entry("\ufffda", 0, b"\xff\xfe", metadata=PartialMetadata(id="\ufffdb"))


def decodes(buffer: bytes, end: int) -> bool:
    try:
        decode_entry(buffer, 0, end)
    except FrameError:
        return False
    return True


class TestFields:
    """``Fields`` is reused from entry to entry."""

    @given(st.lists(ENTRIES, min_size=2, max_size=4))
    def test_keeps_nothing_of_the_entry_before(self, entries: list[Entry]) -> None:
        fields = Fields()
        for entry in entries:
            frame = encode_frame(entry)
            assert fields.locate(frame, HEADER_SIZE, len(frame))
            assert frame[fields.source_start : fields.source_end] == entry.source.encode()
            assert frame[fields.line_start : fields.line_end] == entry.line
            assert fields.time_nano == entry.time_nano
            assert bool(fields.partial) == entry.partial
            assert bool(fields.has_metadata) == (entry.metadata is not None)
            metadata = entry.metadata or PartialMetadata()
            assert frame[fields.id_start : fields.id_end] == metadata.id.encode()
            assert bool(fields.last) == metadata.last
            assert fields.ordinal == metadata.ordinal

    @pytest.mark.parametrize(
        ("message", "head"),
        [
            ("0a0161 1005 1a0162", "0a0161 1005"),
            ("0a0161 1005", "0a0161 1005"),
            ("0a0161 1005 1a00", "0a0161 1005"),
            ("0a0161 1005 1a0162 2001 2a00 3200", "0a0161 1005"),
            ("1005 0a0161 1a0162", None),
            ("0a0161 1a0162 1005", None),
            ("0a0161 1005 2001 1a0162", None),
            ("2001 0a0161 1005 1a0162", None),
            ("3801 0a0161 1005 1a0162", None),
            ("0a0161 1a0162", None),
            ("1005 1a0162", None),
            ("0a0161 1005 1a0162 1006", None),
            ("0a0161 1005 1a0162 0a0163", None),
            ("0a0161 1005 1a0162 1a0163", None),
        ],
    )
    def test_head_is_source_and_time_where_they_lead(self, message: str, head: str | None) -> None:
        fields = Fields()
        before = b"\0\0"
        buffer = before + body(message)
        assert fields.locate(buffer, len(before), len(buffer))
        if head is None:
            assert fields.head_end == -1
        else:
            assert buffer[len(before) : fields.head_end] == body(head)
