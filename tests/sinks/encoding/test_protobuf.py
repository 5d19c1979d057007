"""Protocol Buffers' wire format."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.encoding.protobuf import bytes_field, read_fields


@given(st.lists(st.tuples(st.integers(1, 2**20), st.binary(max_size=300)), max_size=4))
def test_fields_are_read_as_they_are_written(fields: list[tuple[int, bytes]]) -> None:
    assert list(read_fields(b"".join(bytes_field(*field) for field in fields))) == fields


def test_fields_of_all_kinds() -> None:
    message = b"\x08\x96\x01" + b"\x11" + b"12345678" + b"\x1a\x02ab" + b"\x25" + b"1234"
    assert list(read_fields(message)) == [(1, 150), (2, b"12345678"), (3, b"ab"), (4, b"1234")]


@pytest.mark.parametrize(
    "message", [b"\x0a", b"\x0a\x02a", b"\x0b", b"\x80", b"\xff" * 11, b"\x09123", b"\x02\x00", b"\x25123"]
)
def test_what_is_not_a_message(message: bytes) -> None:
    with pytest.raises(ValueError, match="not a protobuf message"):
        list(read_fields(message))


@given(st.binary(max_size=30))
def test_any_bytes_are_a_message_or_not(message: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert all(number > 0 for number, _ in read_fields(message))
