"""Series of values, their ratios, and the files in which they are kept."""

from pathlib import Path

import msgspec
import pytest

from bench.machine import Machine, cpu_model
from bench.results import MissingSeriesError, Recorder, Result, Series, over, ratio, read, rotated, write

MACHINE = Machine(
    cpu="A processor",
    cores=2,
    memory=8_000_000_000,
    kernel="6.1.0",
    python="CPython 3.11.2",
    engine="20.10.24",
    peavey="0.1.0",
    commit="0123456789ab",
    compiled=True,
    date="2026-11-24T12:00:00+00:00",
    load=0.1,
)


def series(subject: str, *values: float, metric: str = "wall") -> Series:
    return Series(subject, metric, "s", values)


def result(*measured: Series) -> Result:
    return Result("containers", "Containers", quick=False, machine=MACHINE, series=measured)


def test_a_series_knows_its_median_and_its_spread() -> None:
    measured = series("local", 3.0, 1.0, 2.5)
    assert (measured.median, measured.smallest, measured.largest) == (2.5, 1.0, 3.0)


def test_a_ratio_is_that_of_the_same_rounds() -> None:
    # Both were slow in the second round, as on a machine that was busy then: the ratio does not show it.
    measured = ratio(series("peavey", 1.0, 4.0), series("json-file", 2.0, 8.0))
    assert measured == Series("peavey", "wall", "×", (0.5, 0.5))


def test_a_ratio_of_different_numbers_of_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratio(series("peavey", 1.0), series("json-file", 2.0, 8.0))


def test_a_rate_is_an_amount_over_each_value() -> None:
    assert over(series("local", 2.0, 4.0), 1000, "lines/s").values == (500.0, 250.0)


def test_series_are_found_by_subject_and_metric() -> None:
    found = result(series("local", 1.0), series("peavey", 2.0), series("peavey", 3.0, metric="cpu"))
    assert found.get("peavey", "cpu").values == (3.0,)
    assert found.ratio("peavey", "local", "wall").values == (2.0,)
    assert [s.subject for s in found.metric("wall")] == ["local", "peavey"]
    assert found.subjects() == ["local", "peavey"]
    assert found.find("local", "cpu") is None
    with pytest.raises(MissingSeriesError, match="local/wall"):
        found.get("local", "cpu")


def test_a_recorder_puts_the_rounds_together() -> None:
    recorder = Recorder()
    for value in (1.0, 2.0):
        recorder.add("local", "wall", "s", value)
        recorder.add("peavey", "wall", "s", value / 3)
    assert recorder.series() == (series("local", 1.0, 2.0), series("peavey", 0.333333, 0.666667))


def test_every_round_begins_with_another_subject() -> None:
    assert list(rotated("abc", 4)) == [
        *((0, "a"), (0, "b"), (0, "c")),
        *((1, "b"), (1, "c"), (1, "a")),
        *((2, "c"), (2, "a"), (2, "b")),
        *((3, "a"), (3, "b"), (3, "c")),
    ]


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = result(series("local", 1.0, 2.0))
    path = write(written, tmp_path / "results")
    assert path.name == "containers.json"
    assert read(path) == written


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "containers.json"
    path.write_text('{"name": "containers"}')
    with pytest.raises(msgspec.ValidationError):
        read(path)


def test_the_name_of_the_processor() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n") == "Some CPU @ 2 GHz"
    assert cpu_model("processor\t: 0\nBogoMIPS\t: 50.00\n") == ""
