"""Fixtures of intake's tests; see ``material`` for what they work with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.intake import housekeeper, pump, retention, stream, stream_table, taking
from tests.intake.housekeeper_harness import Housekeeping
from tests.intake.pump_harness import Clock, PumpHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[PumpHarness]:
    """A pump and what belongs to it."""
    with PumpHarness(tmp_path) as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still, for all of intake."""
    made = Clock()
    for module in (pump, taking, stream, stream_table, housekeeper, retention):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def housekeeping(harness: PumpHarness, clock: Clock) -> Housekeeping:
    """A housekeeping to keep."""
    return Housekeeping(harness, clock)
