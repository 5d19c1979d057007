"""Put what was measured into pages, between ``<!-- bench:NAME -->`` and ``<!-- /bench:NAME -->``.

NAME is a benchmark's, for all its tables; NAME/KEY for one of them; NAME/plot/KEY for a plot; NAME/machine for where it
was measured; and goals, for those of all benchmarks.
"""

import re
from collections.abc import Collection, Mapping

from bench.benchmark import Benchmark
from bench.machine import Machine
from bench.plots import Plot
from bench.results import Result
from bench.tables import to_markdown

MARKED = re.compile(r"(<!-- bench:(?P<name>\S+) -->\n)(.*?)(<!-- /bench:(?P=name) -->)", re.DOTALL)


class UnknownMarkerError(Exception):
    """A page has a marker that no benchmark fills."""


def plot_file(benchmark: Benchmark, plot: Plot) -> str:
    """Name the file of a plot."""
    return f"{benchmark.name}-{plot.key}.svg"


def fragments(benchmark: Benchmark, result: Result, plots: str) -> dict[str, str]:
    """Return the texts that a result puts into a page, by the names of their markers.

    `plots` is the folder of the plots, as seen from the page.
    """
    tables = {table.key: to_markdown(table) for table in benchmark.tables(result)}
    images = {
        f"{benchmark.name}/plot/{plot.key}": f"![{plot.title}]({plots}/{plot_file(benchmark, plot)})\n"
        for plot in benchmark.plots(result)
    }
    return {
        benchmark.name: "\n".join(tables.values()),
        f"{benchmark.name}/machine": describe(result.machine) + "\n",
        **{f"{benchmark.name}/{key}": text for key, text in tables.items()},
        **images,
    }


def describe(machine: Machine) -> str:
    """Return in a sentence or two what was measured, and where."""
    form = "compiled" if machine.compiled else "pure"
    commit = f" ({machine.commit})" if machine.commit else ""
    engine = f", Docker engine {machine.engine}" if machine.engine else ""
    return (
        f"Peavey {machine.peavey}{commit}, {form} modules, {machine.python}{engine}; {machine.cpu}, "
        f"{machine.cores} cores, {machine.memory / 1e9:.0f} GB, Linux {machine.kernel}; {machine.date[:10]}, "
        f"load before the run {machine.load:g}."
    )


def fill(page: str, texts: Mapping[str, str], measured: Collection[str], known: Collection[str]) -> str:
    """Put the texts between the markers of their names.

    Markers of benchmarks that are `known`, but of which nothing is `measured` yet, stay as they are; any other without
    a text raises UnknownMarkerError.
    """

    def filled(found: re.Match[str]) -> str:
        name = found["name"]
        benchmark = name.partition("/")[0]
        if name in texts:
            return f"{found[1]}\n{texts[name]}\n{found[4]}"
        if benchmark in measured or benchmark not in known:
            raise UnknownMarkerError(f"<!-- bench:{name} -->: nothing of this name is measured")
        return found[0]

    return MARKED.sub(filled, page)
