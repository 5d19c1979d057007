"""Measure, and show it: ``python -m bench [--quick] [NAME…]``.

Results go to ``bench/results``, plots to ``docs/plots``, tables into the pages. A quick run leaves these alone, as what
it measures proves only that it works, and so does a benchmark in which something came out wrong: their results go below
``build/bench``.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import pages, plots, results
from bench.benchmark import Benchmark, Run
from bench.catalog import BENCHMARKS
from bench.goals import Goal, goals_table
from bench.machine import REPOSITORY, is_compiled, machine
from bench.tables import show, to_markdown
from tests.testbed.dockerd import missing_programs

RESULTS = REPOSITORY / "bench/results"
PLOTS = REPOSITORY / "docs/plots"
PAGES = (REPOSITORY / "docs/performance.md", REPOSITORY / "README.md")
QUICK = REPOSITORY / "build/bench"
LOG_WIDTH = 120


def main() -> int:
    """Run the command line; return 1 when it cannot begin, or when something that was measured came out wrong."""
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Peavey beside other log drivers.")
    parser.add_argument("names", nargs="*", choices=[*names, []], metavar="NAME", help=f"of: {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="little work, few rounds: only to see that it works")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing; make tables, plots and pages of the kept results"
    )
    arguments = parser.parse_args()
    chosen = [benchmark for benchmark in BENCHMARKS if not arguments.names or benchmark.name in arguments.names]
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    if arguments.render:
        render()
        return 0
    if reason := obstacle(chosen):
        print(reason, file=sys.stderr)
        return 1
    # A run that is ended by SIGTERM, as by `timeout`, must clean up as one that is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not is_compiled():
        console.print("These are the pure modules: what is installed is compiled, and faster (make bench).")
    try:
        faults = [fault for benchmark in chosen for fault in measure(benchmark, arguments.quick, console)]
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    for fault in faults:
        print(f"WRONG: {fault}", file=sys.stderr)
    if faults:
        print("Figures of wrong work prove nothing: the pages stay as they are.", file=sys.stderr)
        return 1
    if not arguments.quick:
        render()
    return 0


def obstacle(chosen: Sequence[Benchmark]) -> str:
    """Return why these benchmarks cannot run here; nothing when they can."""
    if not any(benchmark.needs_engine for benchmark in chosen):
        return ""
    if os.geteuid() != 0:
        return "The benchmarks start a Docker engine of their own, which needs root: sudo make bench"
    if missing := missing_programs():
        return f"{', '.join(missing)} not found: python3 tests/testbed/host.py engine, as root on Debian"
    return ""


def measure(benchmark: Benchmark, quick: bool, console: Console) -> Sequence[str]:
    """Run one benchmark, keep its result, print its tables; return what came out wrong."""
    console.print(f"\n[bold]{benchmark.title}[/bold]")
    begun = time.monotonic()
    facts = machine()
    recorder = results.Recorder()
    benchmark.measure(Run(recorder, quick, lambda text: console.print(f"  {text}", style="dim")))
    result = results.Result(
        benchmark.name, benchmark.title, quick, facts, recorder.series(), faults=tuple(recorder.faults)
    )
    written = results.write(result, QUICK / "results" if quick or result.faults else RESULTS)
    for table in benchmark.tables(result):
        show(table, console)
    if not quick and (goals := benchmark.goals(result)):
        show(goals_table(goals), console)
    if quick:
        draw_plots(benchmark, result, QUICK / "plots")
    console.print(f"  {written}, after {time.monotonic() - begun:.0f} s")
    return result.faults


def render() -> None:
    """Draw the plots and write the tables of the pages from the results that are kept."""
    kept = kept_results()
    for benchmark, result in kept:
        draw_plots(benchmark, result, PLOTS)
    for page in PAGES:
        page.write_text(filled_page(page, kept), encoding="utf-8")


def kept_results() -> list[tuple[Benchmark, results.Result]]:
    """Read the results that are kept, of the benchmarks that there are."""
    paths = [(benchmark, RESULTS / f"{benchmark.name}.json") for benchmark in BENCHMARKS]
    return [(benchmark, results.read(path)) for benchmark, path in paths if path.exists()]


def filled_page(page: Path, kept: Sequence[tuple[Benchmark, results.Result]]) -> str:
    """Return the text of a page with what was measured; raises UnknownMarkerError."""
    texts: dict[str, str] = {}
    goals: list[Goal] = []
    for benchmark, result in kept:
        texts |= pages.fragments(benchmark, result, os.path.relpath(PLOTS, page.parent))
        goals += benchmark.goals(result)
    if goals:
        texts["goals"] = to_markdown(goals_table(goals))
    measured = {benchmark.name for benchmark, _ in kept}
    known = {"goals", *(benchmark.name for benchmark in BENCHMARKS)}
    return pages.fill(page.read_text(encoding="utf-8"), texts, measured, known)


def draw_plots(benchmark: Benchmark, result: results.Result, folder: Path) -> None:
    """Draw a benchmark's plots into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for plot in benchmark.plots(result):
        (folder / pages.plot_file(benchmark, plot)).write_bytes(plots.draw(plot))


if __name__ == "__main__":
    sys.exit(main())
