"""Fixtures of the journal's tests; see ``material`` for what they work with."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from plugin.docker import partials
from plugin.journal import scanner, seeking
from tests.journal.entries import SMALL_JOINED, SMALL_SPACING

settings.register_profile(
    "journal", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("journal")


@pytest.fixture(scope="class")
def scaled_down() -> Iterator[None]:
    """Make lines long, and index points close, at sizes that examples reach."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partials, "MAX_JOINED", SMALL_JOINED)
        patch.setattr(scanner, "POINT_SPACING", SMALL_SPACING)
        yield


@pytest.fixture(scope="class")
def close_points() -> Iterator[None]:
    """Make index points close only: lines of both sources are then never so long that they come in pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanner, "POINT_SPACING", SMALL_SPACING)
        patch.setattr(seeking, "_FEW_POINTS", 2)
        yield


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one journal, which does not exist yet."""
    with TemporaryDirectory(prefix="peavey-") as path:
        yield Path(path) / "container"
