"""What several scenarios need beside the server and its engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.receiving.process import Receivers
from tests.testbed.disks import mounted


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A small disk of its own where the data folder will be."""
    with mounted(folder / "logging" / "peavey") as disk:
        yield disk


@pytest.fixture
def receivers(folder: Path) -> Iterator[Receivers]:
    """Return a function that makes receivers for the test."""
    with Receivers(folder) as receivers:
        yield receivers
