"""What a benchmark measured: series of values, one value a round, kept as JSON beside the facts of the machine."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.machine import Machine

_DIGITS = 6  # significant ones that are kept in the files
RATIO_UNIT = "×"

T = TypeVar("T")


class MissingSeriesError(Exception):
    """A result does not have what was asked of it; the message says what it has."""


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one metric for one subject (a driver, a sink), in the order of the rounds."""

    subject: str
    metric: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def smallest(self) -> float:
        """The least value: with `largest` the spread."""
        return min(self.values)

    @property
    def largest(self) -> float:
        """The greatest value."""
        return max(self.values)


def ratio(of: Series, to: Series) -> Series:
    """Divide round by round; raises ValueError when they have different numbers of rounds."""
    pairs = zip(of.values, to.values, strict=True)
    return Series(of.subject, of.metric, RATIO_UNIT, tuple(mine / other for mine, other in pairs))


def over(of: Series, amount: float, unit: str) -> Series:
    """Divide a fixed amount by each value, as lines by seconds: gives a rate in this unit."""
    return Series(of.subject, of.metric, unit, tuple(amount / value for value in of.values))


@dataclass(frozen=True)
class Result:
    """A benchmark's outcome; `faults` says what came out wrong, such as lost lines: its figures then prove nothing."""

    name: str
    title: str
    quick: bool
    machine: Machine
    series: tuple[Series, ...]
    faults: tuple[str, ...] = ()

    def get(self, subject: str, metric: str) -> Series:
        """Return the series of this subject and metric; raises MissingSeriesError."""
        found = self.find(subject, metric)
        if found is None:
            known = ", ".join(f"{series.subject}/{series.metric}" for series in self.series)
            raise MissingSeriesError(f"{self.name} has no {subject}/{metric}; it has {known}")
        return found

    def find(self, subject: str, metric: str) -> Series | None:
        """Return the series of this subject and metric, if there is one."""
        return next((s for s in self.series if (s.subject, s.metric) == (subject, metric)), None)

    def ratio(self, subject: str, to: str, metric: str) -> Series:
        """Divide a subject's values by another's, round by round; raises MissingSeriesError."""
        return ratio(self.get(subject, metric), self.get(to, metric))

    def metric(self, metric: str) -> list[Series]:
        """Return the series of this metric, subject by subject."""
        return [series for series in self.series if series.metric == metric]

    def subjects(self) -> list[str]:
        """Name the subjects, in the order in which they were measured first."""
        return list(dict.fromkeys(series.subject for series in self.series))


@dataclass
class Recorder:
    """Collects values while a benchmark runs."""

    faults: list[str] = field(default_factory=list)
    _values: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)

    def add(self, subject: str, metric: str, unit: str, value: float) -> None:
        """Note the value of one round."""
        self._values.setdefault((subject, metric, unit), []).append(value)

    def fault(self, text: str) -> None:
        """Note that something came out wrong: the run goes on, but it fails in the end."""
        self.faults.append(text)

    def series(self) -> tuple[Series, ...]:
        """Return all that was noted, in the order in which it first was."""
        return tuple(Series(*key, values=tuple(map(_rounded, values))) for key, values in self._values.items())


def rotated(subjects: Sequence[T], rounds: int) -> Iterator[tuple[int, T]]:
    """Yield round and subject; each round begins with the next subject, so that none always follows the same one."""
    for number in range(rounds):
        first = number % len(subjects)
        for subject in (*subjects[first:], *subjects[:first]):
            yield number, subject


def write(result: Result, folder: Path) -> Path:
    """Write ``NAME.json`` below a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def read(path: Path) -> Result:
    """Read what `write` wrote; raises msgspec.ValidationError for anything else."""
    return msgspec.json.decode(path.read_bytes(), type=Result)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
