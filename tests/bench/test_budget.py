"""The budget: what pytest-benchmark reports becomes nanoseconds for a line, under the step's name."""

import json

import msgspec
import pytest

from bench import shaping
from bench.budget import goals, measure_steps, steps, tables
from bench.machine import REPOSITORY, machine
from bench.results import Recorder, Result


def test_a_report_is_condensed_to_nanoseconds_for_a_line() -> None:
    report = {
        "machine_info": {"node": "x"},
        "benchmarks": [
            {"name": "test_a", "stats": {"median": 0.002, "mean": 1}, "extra_info": {"name": "decode", "lines": 1000}},
            {"name": "test_b", "stats": {"median": 0.5}, "extra_info": {"name": "encode", "lines": 10}},
        ],
    }
    found = list(steps(json.dumps(report).encode()))
    assert [step.name for step in found] == ["decode", "encode"]
    assert [step.nanoseconds for step in found] == pytest.approx([2_000, 5e7])


def test_anything_else_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        list(steps(b'{"results": []}'))


def test_each_step_is_measured_once_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where tests are spread over processes, pytest-benchmark takes this one for a part of that, and writes no report.
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    measured = measure_steps(REPOSITORY, 0.001)
    assert len(measured) > 15
    assert len({step.name for step in measured}) == len(measured)
    assert all(step.nanoseconds > 0 for step in measured)


def test_what_shaping_adds_is_shown_apart_and_has_goals() -> None:
    recorder = Recorder()
    recorder.add("decode", "compiled", "ns", 150)
    recorder.add("parse=json", "compiled", "ns", 1_400)
    recorder.add("redact=all, nothing found", "compiled", "ns", 2_100)
    result = Result("budget", "", False, machine(), recorder.series())

    steps, added, _ = tables(result)
    assert [row[0] for row in steps.rows] == ["decode"]
    assert [row[0] for row in added.rows] == ["parse=json", "redact=all, nothing found"]
    assert [goal.is_met for goal in goals(result)] == [True, False]


@pytest.mark.parametrize("case", shaping.CASES, ids=lambda case: case.name)
def test_lines_to_be_shaped_are_as_long_as_is_said(case: shaping.Case) -> None:
    assert {len(case.line(number)) for number in range(0, 9_000, 77)} == {shaping.SIZE}
