"""The command line: what keeps it from beginning, and where what it measured goes."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench import __main__ as command
from bench.benchmark import Benchmark, Run
from bench.plots import Bars
from bench.results import read
from bench.tables import Table


def measure(run: Run) -> None:
    run.recorder.add("peavey", "wall", "s", 1.0 if run.quick else 2.0)


def measure_and_lose_a_line(run: Run) -> None:
    measure(run)
    run.recorder.fault("a line was lost")


PRINTING = Benchmark(
    name="printing",
    title="Printing",
    measure=measure,
    tables=lambda result: [Table("times", "Times", ("driver", "s"), ((result.subjects()[0], "1"),))],
    plots=lambda result: [Bars("short", "Wall time", "s", result.series)],
)
UNDER_AN_ENGINE = Benchmark("reading", "Reading", measure, lambda _: [], needs_engine=True)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RESULTS", "PLOTS", "QUICK"):
        monkeypatch.setattr(command, name, tmp_path / name.lower())
    return tmp_path


def test_an_engine_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "root" in command.obstacle([PRINTING, UNDER_AN_ENGINE])
    assert command.obstacle([PRINTING]) == ""


def test_an_engine_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(command, "missing_programs", lambda: ["dockerd"])
    assert command.obstacle([UNDER_AN_ENGINE]).startswith("dockerd not found")
    monkeypatch.setattr(command, "missing_programs", list)
    assert command.obstacle([UNDER_AN_ENGINE]) == ""


def test_a_run_keeps_its_result(places: Path) -> None:
    output = io.StringIO()
    assert not command.measure(PRINTING, quick=False, console=Console(file=output))
    assert read(places / "results/printing.json").get("peavey", "wall").values == (2.0,)
    assert "Times" in output.getvalue()


def test_what_came_out_wrong_is_told_and_replaces_no_result_that_is_kept(places: Path) -> None:
    losing = replace(PRINTING, measure=measure_and_lose_a_line)
    assert command.measure(losing, quick=False, console=Console(file=io.StringIO())) == ("a line was lost",)
    assert read(places / "quick/results/printing.json").faults == ("a line was lost",)
    assert not (places / "results").exists()


def test_a_quick_run_leaves_what_is_kept_alone(places: Path) -> None:
    command.measure(PRINTING, quick=True, console=Console(file=io.StringIO()))
    assert read(places / "quick/results/printing.json").quick
    assert (places / "quick/plots/printing-short.svg").exists()
    assert not (places / "results").exists()


def test_pages_and_plots_are_made_of_what_is_kept(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "BENCHMARKS", (PRINTING,))
    page = places / "page.md"
    page.write_text("<!-- bench:printing/plot/short -->\n<!-- /bench:printing/plot/short -->\n")
    monkeypatch.setattr(command, "PAGES", (page,))
    command.measure(PRINTING, quick=False, console=Console(file=io.StringIO()))
    command.render()
    assert "![Wall time](plots/printing-short.svg)" in page.read_text()
    assert (places / "plots/printing-short.svg").exists()
