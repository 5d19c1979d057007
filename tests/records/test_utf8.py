"""Characters that are cut in two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.records.utf8 import unfinished


@given(st.text(max_size=20).map(str.encode), st.integers(0, 80))
def test_what_is_unfinished_is_what_utf8_lacks_the_rest_of(text: bytes, end: int) -> None:
    cut = text[:end]
    whole = cut[: len(cut) - unfinished(cut)]
    assert whole.decode() == cut.decode(errors="ignore")


@pytest.mark.parametrize("text", [b"", b"\x80", b"\xbf\x80\x80\x80", b"a\x80", b"\xc3\xa9", b"\xe2\x82\xac\x80"])
def test_what_no_rest_could_finish_is_left_alone(text: bytes) -> None:
    assert unfinished(text) == 0
