"""Goals: what has to be reached, as a bound for something measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.results import RATIO_UNIT, Series
from bench.tables import Table, figure, spread


@dataclass(frozen=True)
class Goal:
    """A measured series whose median should be `at_most` so much, in its own unit."""

    what: str
    measured: Series
    at_most: float

    @property
    def is_met(self) -> bool:
        """Whether the median keeps within the bound."""
        return self.measured.median <= self.at_most


def goals_table(goals: Sequence[Goal]) -> Table:
    """Set what was measured beside what was to be reached."""

    def row(goal: Goal) -> tuple[str, ...]:
        unit = "" if goal.measured.unit == RATIO_UNIT else f" {goal.measured.unit}"
        return (
            goal.what,
            f"≤ {figure(goal.at_most)}{unit}",
            f"{spread(goal.measured)}{unit}",
            "reached" if goal.is_met else "**missed**",
        )

    return Table("goals", "Goals", ("what", "goal", "measured", ""), tuple(map(row, goals)))
