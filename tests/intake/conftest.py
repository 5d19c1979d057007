"""Fixtures of intake's tests; see ``material`` for what they work with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.intake import housekeeper, pump, retention, stream, stream_table, taking
from tests.intake.housekeeping_bench import House
from tests.intake.pump_bench import Bench, Clock


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A pump and what belongs to it."""
    with Bench(tmp_path) as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still, for all of intake."""
    made = Clock()
    for module in (pump, taking, stream, stream_table, housekeeper, retention):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def house(bench: Bench, clock: Clock) -> House:
    """A house to keep."""
    return House(bench, clock)
