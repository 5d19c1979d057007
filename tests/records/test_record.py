"""Records: the two ways to make one give the same."""

from hypothesis import given
from hypothesis import strategies as st

from plugin.records.record import Record, whole_line

NUMBERS = st.integers(-(2**63), 2**63 - 1)
FIELDS = (
    "prepared",
    "source",
    "time_nano",
    "line",
    "offset",
    "end",
    "resume",
    "part_id",
    "part_ordinal",
    "part_last",
)


@given(st.sampled_from(("stdout", "stderr")), NUMBERS, st.binary(), NUMBERS, NUMBERS, NUMBERS)
def test_a_line_in_one_piece_is_a_record_without_parts(
    source: str, time_nano: int, line: bytes, offset: int, end: int, resume: int
) -> None:
    prepared = object()
    made = whole_line(prepared, source, time_nano, line, offset, end, resume)
    plain = Record(prepared, source, time_nano, line, offset, end, resume)
    assert type(made) is Record
    assert [getattr(made, name) for name in FIELDS] == [getattr(plain, name) for name in FIELDS]
