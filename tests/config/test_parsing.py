"""Values are read as Docker and Go read them; the expected numbers were printed by go-units and Go themselves."""

import contextlib
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugin.config import parsing

DECIMAL_SIZES = {
    "0": 0,
    "1": 1,
    "512k": 512_000,
    "20m": 20_000_000,
    "1g": 1_000_000_000,
    "1G": 1_000_000_000,
    "3t": 3_000_000_000_000,
    "2p": 2_000_000_000_000_000,
    "1.5g": 1_500_000_000,
    "1.1g": 1_100_000_000,
    "0.5k": 500,
    ".5k": 500,
    "1.k": 1_000,
    "999.999k": 999_999,
    "64kB": 64_000,
    "10MiB": 10_000_000,
    "10 MB": 10_000_000,
    "5 ": 5,
    "2b": 2,
    "1e3": 1_000,
    "1e3k": 1_000_000,
    "+1k": 1_000,
    "-0": 0,
}
BINARY_SIZES = {
    "512k": 524_288,
    "20m": 20_971_520,
    "1g": 1_073_741_824,
    "1.5g": 1_610_612_736,
    "64kB": 65_536,
    "10MiB": 10_485_760,
    "2p": 2_251_799_813_685_248,
    "0.3k": 307,
}
NO_SIZES = [
    *("", "k", "-1", "-1k", "20x", "20mm", " 20m", "20  m", "20mib ", "10ib", "1m b", "inf", "nan", "1,5g", "\u0661m"),
    *("1_0", "0x10p1", "9999p", "1e999"),
]

DURATIONS_IN_NANOSECONDS = {
    "0": 0,
    "-0": 0,
    "0s": 0,
    "1ns": 1,
    "1us": 1_000,
    "1\u00b5s": 1_000,
    "1\u03bcs": 1_000,
    "500ms": 500_000_000,
    "10s": 10_000_000_000,
    "+2s": 2_000_000_000,
    "-2s": -2_000_000_000,
    "1m30s": 90_000_000_000,
    "2h": 7_200_000_000_000,
    "168h": 604_800_000_000_000,
    "1h1h": 7_200_000_000_000,
    "1.5h": 5_400_000_000_000,
    ".5s": 500_000_000,
    "1.s": 1_000_000_000,
    "00001s": 1_000_000_000,
    "0.000000001s": 1,
    "0.0000000001s": 0,
    "1.999999999999s": 1_999_999_999,
    "0.3333333333333333333h": 1_200_000_000_000,
    "0.100000000000000000000h": 360_000_000_000,
    "9223372036854775807ns": 9_223_372_036_854_775_807,
    "2562047h47m16.854775807s": 9_223_372_036_854_775_807,
    "-9223372036854775808ns": -9_223_372_036_854_775_808,
}
NO_DURATIONS = [
    *("", "5", "s", ".s", "-", "-.s", "1 s", "1s ", " 1s", "1S", "1d", "1s-2s", "1.2.3s", "1e3s", "\u0663s"),
    *("9223372036854775808ns", "3000000h", "--1s", "1s1", "9" * 5000 + "s"),
]

texts = st.one_of(st.text(), st.text(alphabet="0123456789.+-eEkKmMgGiIbBnuµhs _xp"))


@pytest.mark.parametrize(("text", "size"), DECIMAL_SIZES.items())
def test_sizes_count_by_1000(text: str, size: int) -> None:
    assert parsing.parse_size(text) == size


@pytest.mark.parametrize(("text", "size"), BINARY_SIZES.items())
def test_sizes_count_by_1024_where_docker_does(text: str, size: int) -> None:
    assert parsing.parse_size(text, base=1024) == size


@pytest.mark.parametrize("text", NO_SIZES)
def test_other_texts_are_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"size \(examples: 512k, 20m, 1g\)"):
        parsing.parse_size(text)


def test_a_bad_size_is_answered_with_examples() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 — the whole message is compared
        parsing.parse_size("20x")
    assert str(caught.value) == "'20x' is not a size (examples: 512k, 20m, 1g)"


@given(
    st.integers(0, 2**53),
    st.sampled_from(["", " "]),
    st.sampled_from(["", "k", "m"]),
    st.sampled_from(["", "b", "ib"]),
    st.sampled_from([1000, 1024]),
    st.booleans(),
)
def test_a_whole_size_is_its_number_times_its_unit(
    number: int, blank: str, unit: str, ending: str, base: int, upper: bool
) -> None:
    suffix = unit + (ending if unit else ending.replace("i", ""))
    size = number * base ** ["", "k", "m"].index(unit)
    text = f"{number}{blank}{suffix.upper() if upper else suffix}"
    if size < 2**53:
        assert parsing.parse_size(text, base) == size


@pytest.mark.parametrize(("text", "nanoseconds"), DURATIONS_IN_NANOSECONDS.items())
def test_durations(text: str, nanoseconds: int) -> None:
    assert parsing.parse_duration(text) == nanoseconds / 1_000_000_000


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration \(examples: 500ms, 10s, 1m30s, 168h\)"):
        parsing.parse_duration(text)


@given(st.integers(0, 2**63 - 1))
def test_a_duration_as_go_prints_it_reads_back(nanoseconds: int) -> None:
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h{minutes}m{rest // 1_000_000_000}.{rest % 1_000_000_000:09}s"
    assert parsing.parse_duration(text) == nanoseconds / 1_000_000_000
    assert parsing.parse_duration("-" + text) == -nanoseconds / 1_000_000_000


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_true(text: str) -> None:
    assert parsing.parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_false(text: str) -> None:
    assert parsing.parse_bool(text) is False


@pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", " true", "2"])
def test_other_texts_are_no_booleans(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"is not a boolean \(accepted: 1 t T TRUE true True 0 f F FALSE false False\)"
    ):
        parsing.parse_bool(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("42", 42), ("-7", -7), ("+7", 7), ("007", 7)])
def test_whole_numbers(text: str, number: int) -> None:
    assert parsing.parse_int(text) == number


@pytest.mark.parametrize("text", ["", "1.0", " 1", "1_000", "0x10", "\u0663", "9223372036854775808", "9" * 5000])
def test_other_texts_are_no_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a whole number$"):
        parsing.parse_int(text)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1, 9, "from 1 to 9"),
        (1, None, "of at least 1"),
        (None, 9, "of at most 9"),
    ],
)
def test_a_number_out_of_range_is_answered_with_the_range(low: int | None, high: int | None, expected: str) -> None:
    outside = "0" if low is not None else "10"
    with pytest.raises(ValueError, match=f"^'{outside}' is out of range .expected: a whole number {expected}"):
        parsing.parse_int(outside, low, high)


def test_a_range_includes_its_ends() -> None:
    assert [parsing.parse_int(text, 1, 9) for text in ("1", "9")] == [1, 9]


@pytest.mark.parametrize(
    ("text", "items"),
    [("", ()), ("a", ("a",)), ("a,b", ("a", "b")), (" a , b ", ("a", "b")), ("a,,b,", ("a", "b"))],
)
def test_lists(text: str, items: tuple[str, ...]) -> None:
    assert parsing.parse_list(text) == items


def test_a_choice_is_one_of_the_allowed_words() -> None:
    assert parsing.parse_choice("b", ("a", "b")) == "b"


def test_a_misspelt_choice_is_answered_with_the_closest() -> None:
    expected = r"^'drop-oldst' is not one of drop-oldest, throttle \(did you mean 'drop-oldest'\?\)$"
    with pytest.raises(ValueError, match=expected):
        parsing.parse_choice("drop-oldst", ("drop-oldest", "throttle"))


@given(texts)
@example("9" * 5000)
@example("9" * 5000 + "s")
@example("." + "9" * 5000 + "s")
@example("1e" + "9" * 5000)
def test_a_parser_returns_a_value_or_raises_value_error(text: str) -> None:
    for parse in (
        parsing.parse_size,
        parsing.parse_int,
        parsing.parse_duration,
        parsing.parse_bool,
        parsing.parse_list,
        lambda t: parsing.parse_choice(t, ("a", "b")),
    ):
        with contextlib.suppress(ValueError):
            value = parse(text)
            assert not isinstance(value, float) or math.isfinite(value)


@given(st.text())
def test_a_quoted_text_is_one_printable_line_of_bounded_length(text: str) -> None:
    quoted = parsing.quote(text)
    assert quoted.isprintable()
    assert quoted[0] == quoted[-1] == "'"
    assert len(quoted) <= 2 + 120 * len("\\U00000000")


def test_a_quoted_text_shows_what_a_person_typed() -> None:
    assert parsing.quote("größe 20m") == "'größe 20m'"
    assert parsing.quote("a\nb\x1b[31m") == "'a\\nb\\x1b[31m'"


def test_the_hint_names_the_closest_name_whatever_its_case() -> None:
    assert parsing.hint("loki-ur", ["loki-url", "labels"]) == " (did you mean 'loki-url'?)"
    assert parsing.hint("MAX-SIZE", ["max-size"]) == " (did you mean 'max-size'?)"
    assert parsing.hint("something", ["max-size"]) == ""
    assert parsing.hint("x" * 100_000, ["x" * 100_000]) == ""
