"""What a benchmark is: how it measures, and how its result is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.goals import Goal
from bench.plots import Plot
from bench.results import Recorder, Result
from bench.tables import Table


@dataclass(frozen=True)
class Run:
    """What a benchmark is given: where it records, whether to be quick, and a way to say how far it is."""

    recorder: Recorder
    quick: bool
    say: Callable[[str], None]


def no_plots(_: Result) -> Sequence[Plot]:
    """Draw nothing."""
    return ()


def no_goals(_: Result) -> Sequence[Goal]:
    """Aim at nothing."""
    return ()


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    `name` is that of its file of results, of its marker in the pages, and on the command line; `measure` records
    what it finds; `tables`, `plots` and `goals` are made of a result alone, so that they can be made again of a kept
    one.
    """

    name: str
    title: str
    measure: Callable[[Run], None]
    tables: Callable[[Result], Sequence[Table]]
    plots: Callable[[Result], Sequence[Plot]] = no_plots
    goals: Callable[[Result], Sequence[Goal]] = no_goals
    needs_engine: bool = False
