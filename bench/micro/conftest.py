"""What the micro-benchmarks share: lines as they lie in a journal, and a way to measure functions of many lines."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.journals import encoded
from bench.micro.per_line import LINES, PerLine


@pytest.fixture
def per_line(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> PerLine:
    """Measures a function of many lines."""
    return PerLine(benchmark, float(pytestconfig.getoption("benchmark_max_time")))


@pytest.fixture(scope="session")
def frames() -> bytes:
    """Numbered lines of 100 bytes, as the engine's frames."""
    return b"".join(encoded(iter(range(LINES))))
