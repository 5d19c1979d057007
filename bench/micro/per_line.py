"""A way to say how many lines a measurement is of, and what it is called."""

from collections.abc import Callable
from typing import TypeVar

from pytest_benchmark.fixture import BenchmarkFixture

LINES = 8_000
"""About as many as a batch has: with fewer, what its memory costs would not be seen."""

T = TypeVar("T")
U = TypeVar("U")

_ROUNDS_A_SECOND = 20
_FEWEST_ROUNDS = 2


class PerLine:
    """Measures functions that handle many lines each, for about so many ``seconds``."""

    def __init__(self, benchmark: BenchmarkFixture, seconds: float) -> None:
        self._benchmark = benchmark
        self._rounds = max(_FEWEST_ROUNDS, round(seconds * _ROUNDS_A_SECOND))

    def __call__(self, name: str, function: Callable[[], T], lines: int = LINES) -> T:
        """Measure a function under a name, and give what it gives."""
        self._benchmark.extra_info.update(name=name, lines=lines)
        result: T = self._benchmark(function)
        return result

    def each_time(self, name: str, make: Callable[[], U], function: Callable[[U], T], lines: int = LINES) -> T:
        """Measure a function that uses up what it is given, which is made anew each time."""
        self._benchmark.extra_info.update(name=name, lines=lines)
        result: T = self._benchmark.pedantic(  # type: ignore[no-untyped-call]
            function, setup=lambda: ((make(),), {}), rounds=self._rounds, warmup_rounds=1
        )
        return result
