"""Batches of any records, for encoders, which keep for the next record what it has in common with the last."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from plugin.sinks.base import Record
from tests.sinks.factories import TIME

SECOND = 10**9

_TIMES = st.one_of(
    st.sampled_from([0, 1, SECOND - 1, SECOND, TIME, TIME + 1, TIME + SECOND, 2**63 - 1]),
    # Before 1970, around changes of the second.
    st.sampled_from([-1, 1 - SECOND, -SECOND, -1 - SECOND, -(2**63)]),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
)
_LINES = st.one_of(
    st.sampled_from([b"", b" ", b"line", b'"\\', b"\n", b"\x7f", b"a\x7f\n\x00", b"\xff", "größer \u2028".encode()]),
    st.sampled_from([b"x" * 31, b"x" * 32, b"y" * 255, b"y" * 256, b"z" * 20_000, b'{"a": [1]}', b"<&>"]),
    st.binary(max_size=40),
)


def in_seconds(time_nano: int) -> bytes:
    """Write a time as seconds since 1970 with nine digits after the point."""
    return f"{Decimal(time_nano) / SECOND:.9f}".encode()


def batches(prepared: Sequence[Any]) -> st.SearchStrategy[list[Record]]:
    """Make batches of containers of which a sink has prepared these."""
    return st.lists(
        st.builds(
            Record,
            prepared=st.sampled_from(prepared),
            source=st.sampled_from(["stdout", "stderr"]),
            time_nano=_TIMES,
            line=_LINES,
            offset=st.sampled_from([0, 2**62]) | st.integers(min_value=0, max_value=2**62),
            part_id=st.just("1f00"),
            part_ordinal=st.sampled_from([0, 0, 1, 70]),
            part_last=st.booleans(),
        ),
        max_size=12,
    )
