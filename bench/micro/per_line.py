"""A way to say how many lines a measurement is of, and what it is called."""

from collections.abc import Callable
from typing import TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

LINES = 8_000
"""About as many as a batch has: with fewer, what its memory costs would not be seen."""

T = TypeVar("T")


class PerLine:
    """Measures functions that handle many lines each."""

    def __init__(self, benchmark: BenchmarkFixture) -> None:
        self._benchmark = benchmark

    def __call__(self, name: str, function: Callable[[], T], lines: int = LINES) -> T:
        """Measure a function under a name, and give what it gives."""
        self._benchmark.extra_info.update(name=name, lines=lines)
        result: T = self._benchmark(function)
        return result
