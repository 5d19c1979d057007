"""Puts what was measured into pages, between ``<!-- bench:NAME -->`` and ``<!-- /bench:NAME -->``.

NAME is a benchmark's, for all its tables; NAME/KEY for one of them; NAME/machine for where it was measured.
"""

import re
from collections.abc import Iterable, Mapping

from bench.benchmark import Benchmark
from bench.machine import Machine
from bench.results import Result
from bench.tables import to_markdown

MARKED = re.compile(r"(<!-- bench:(?P<name>\S+) -->\n)(.*?)(<!-- /bench:(?P=name) -->)", re.DOTALL)


class UnknownMarkerError(Exception):
    """A page has a marker that no benchmark fills."""


def fragments(benchmark: Benchmark, result: Result) -> dict[str, str]:
    """Give the texts that a result puts into pages, by the names of their markers."""
    tables = {table.key: to_markdown(table) for table in benchmark.tables(result)}
    return {
        benchmark.name: "\n".join(tables.values()),
        f"{benchmark.name}/machine": describe(result.machine) + "\n",
        **{f"{benchmark.name}/{key}": text for key, text in tables.items()},
    }


def describe(machine: Machine) -> str:
    """Say in a sentence or two what was measured, and where."""
    form = "compiled" if machine.compiled else "pure"
    commit = f" ({machine.commit})" if machine.commit else ""
    engine = f", Docker engine {machine.engine}" if machine.engine else ""
    return (
        f"Peavey {machine.peavey}{commit}, {form} modules, {machine.python}{engine}; {machine.cpu}, "
        f"{machine.cores} cores, {machine.memory / 1e9:.0f} GB, Linux {machine.kernel}; {machine.date[:10]}, "
        f"load before the run {machine.load:g}."
    )


def fill(page: str, texts: Mapping[str, str], known: Iterable[str]) -> str:
    """Put these texts between their markers; markers without one, of benchmarks that are `known`, stay as they are.

    Raises UnknownMarkerError for any other.
    """
    names = set(known)

    def filled(found: re.Match[str]) -> str:
        name = found["name"]
        benchmark, _, key = name.partition("/")
        if name in texts:
            return f"{found[1]}\n{texts[name]}\n{found[4]}"
        if benchmark not in names or any(other.partition("/")[0] == benchmark and key for other in texts):
            raise UnknownMarkerError(f"<!-- bench:{name} -->: nothing of this name is measured")
        return found[0]

    return MARKED.sub(filled, page)
