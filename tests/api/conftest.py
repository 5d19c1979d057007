"""Fixtures of the tests of the HTTP face: an intake that runs, beside an engine's FIFOs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.config.options import validate_leniently
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from tests.intake.pump_harness import PumpHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[PumpHarness]:
    """The folders and the engine; the pump is that of the intake."""
    with PumpHarness(tmp_path) as made:
        yield made


@pytest.fixture
def intake(harness: PumpHarness) -> Iterator[Intake]:
    """An intake that runs."""
    bounds = DiskBounds(limit=None, free=None, keep_stopped=None)
    made = Intake(harness.data, harness.logging, bounds, lambda info: validate_leniently(info.options)[0])
    made.start()
    yield made
    made.stop()
