"""What was measured gets into the pages, and nothing else of them changes."""

from pathlib import Path

import pytest

from bench.__main__ import PAGES, filled_page, kept_results
from bench.benchmark import Benchmark
from bench.catalog import BENCHMARKS
from bench.pages import MARKED, UnknownMarkerError, describe, fill, fragments, plot_file
from bench.plots import Bars
from bench.results import Result, Series
from bench.tables import Table, to_markdown
from tests.bench.test_results import MACHINE

TABLE = Table("times", "Times", ("driver", "s"), (("local", "2.5"),))
BENCHMARK = Benchmark(
    name="printing",
    title="Printing",
    measure=lambda _: None,
    tables=lambda _: [TABLE],
    plots=lambda result: [Bars("short", "Wall time", "s", result.series)],
)
RESULT = Result("printing", "Printing", False, MACHINE, (Series("local", "wall", "s", (2.5,)),))


def page(name: str, content: str = "old\n") -> str:
    return f"Before.\n<!-- bench:{name} -->\n{content}<!-- /bench:{name} -->\nAfter.\n"


def test_what_a_result_gives() -> None:
    assert fragments(BENCHMARK, RESULT, "../plots") == {
        "printing": to_markdown(TABLE),
        "printing/times": to_markdown(TABLE),
        "printing/machine": describe(MACHINE) + "\n",
        "printing/plot/short": "![Wall time](../plots/printing-short.svg)\n",
    }


def test_the_text_between_markers_is_replaced() -> None:
    filled = fill(page("printing"), {"printing": "new\n"}, {"printing"}, {"printing"})
    assert filled == page("printing", "\nnew\n\n")
    assert fill(filled, {"printing": "new\n"}, {"printing"}, {"printing"}) == filled


def test_what_is_not_measured_yet_stays() -> None:
    assert fill(page("printing"), {}, set(), {"printing"}) == page("printing")


@pytest.mark.parametrize("name", ["unheard-of", "printing/unheard-of"])
def test_a_marker_that_nothing_fills_is_refused(name: str) -> None:
    with pytest.raises(UnknownMarkerError, match=name):
        fill(page(name), {"printing": "new\n"}, {"printing"}, {"printing"})


def test_the_facts_of_the_machine_are_said() -> None:
    said = describe(MACHINE)
    for fact in ("0.1.0", "0123456789ab", "compiled", "3.11.2", "20.10.24", "A processor", "2 cores", "8 GB", "6.1.0"):
        assert fact in said


def test_benchmarks_have_different_names() -> None:
    assert len({benchmark.name for benchmark in BENCHMARKS}) == len(BENCHMARKS)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_pages_say_what_the_kept_results_say(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert MARKED.search(text)
    assert filled_page(path, kept_results()) == text, "make bench BENCH_FLAGS=--render"


def test_every_plot_is_shown_somewhere() -> None:
    shown = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    files = [plot_file(benchmark, plot) for benchmark, result in kept_results() for plot in benchmark.plots(result)]
    assert [file for file in files if f"/{file})" not in shown] == []


def test_what_is_kept_came_out_right() -> None:
    assert [fault for _, result in kept_results() for fault in result.faults] == []
    assert not any(result.quick for _, result in kept_results())
