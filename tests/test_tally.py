"""The count that the demonstration prints must itself be right."""

from hypothesis import given
from hypothesis import strategies as st

from tests.testbed.tally import numbered, tally


def test_every_line_once_and_in_order_is_clean() -> None:
    counted = tally(numbered(1000), 1000)
    assert counted.is_clean
    assert (counted.printed, counted.read) == (1000, 1000)


def test_each_fault_is_counted_as_what_it_is() -> None:
    assert tally(b"1\n3\n", 3).lost == 1
    assert tally(b"1\n2\n2\n3\n", 3).repeated == 1
    assert tally(b"1\n3\n2\n", 3).out_of_order == 1
    assert tally(b"1\n2\n33\n3\n", 3).foreign == 1
    assert tally(b"1\n2\n3\n4\n", 3).foreign == 1
    assert tally(b"", 3).lost == 3


@given(st.lists(st.integers(1, 20), max_size=30))
def test_only_the_whole_output_is_clean(numbers: list[int]) -> None:
    output = b"".join(b"%d\n" % number for number in numbers)
    assert tally(output, 20).is_clean == (numbers == list(range(1, 21)))
