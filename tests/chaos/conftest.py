"""What chance decides can be had again: PEAVEY_CHAOS_SEED is printed with a failure."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.receiving.process import Receivers

SEED = "PEAVEY_CHAOS_SEED"


@pytest.fixture
def seed() -> int:
    """What the test's random numbers begin with."""
    seed = int(os.environ.get(SEED) or time.time_ns() % 1_000_000)
    print(f"{SEED}={seed}")
    return seed


@pytest.fixture
def receivers(folder: Path) -> Iterator[Receivers]:
    """Return a function that makes receivers for the test."""
    with Receivers(folder) as receivers:
        yield receivers
