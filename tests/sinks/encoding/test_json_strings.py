"""Lines as the insides of JSON strings: all at once gives what one by one does, whatever is in them."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugin.sinks.encoding.json_strings import strings

_TRICKY = st.sampled_from(
    [b"", b'"', b",", b'","', b"\\", b'\\"', b'\\","', b'",\n  "', b"[", b"]", b"\n", b"\x00", b"\xff", b"\xe2\x82"]
)
LINES = st.lists(st.lists(_TRICKY | st.binary(max_size=4)).map(b"".join), max_size=8)


@given(LINES)
@example([b""])
@example([b"", b"", b""])
@example([b"\\", b""])
@example([b'",', b""])
@example([b'{"a": "b",', b"\n", b'",\n  "'])
def test_each_line_comes_back_in_its_place(lines: list[bytes]) -> None:
    written = strings(lines)
    assert [json.loads(b'"%b"' % line) for line in written] == [line.decode(errors="replace") for line in lines]


@pytest.mark.parametrize("line", ["plain", "Größe €", "\u2028", "😀"])
def test_text_stays_text(line: str) -> None:
    assert strings([line.encode()]) == [line.encode()]
