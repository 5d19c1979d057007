"""Fixtures of the tests of the HTTP face: an intake that runs, beside an engine's FIFOs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.config.options import validate_leniently
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from tests.intake.pump_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The folders and the engine; the pump is that of the intake."""
    with Bench(tmp_path) as made:
        yield made


@pytest.fixture
def intake(bench: Bench) -> Iterator[Intake]:
    """An intake that runs."""
    bounds = DiskBounds(limit=None, free=None, keep_stopped=None)
    made = Intake(bench.data, bench.logging, bounds, lambda info: validate_leniently(info.options)[0])
    made.start()
    yield made
    made.stop()
