"""What each stage is told, as it was read and checked; defaults are filled in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from plugin.gotemplate import Template

Names: TypeAlias = tuple[tuple[str, str], ...]
"""Names of what is made, each with the name of what it is made of."""

Path: TypeAlias = tuple[tuple[str | int, ...], ...]
"""Ways into a JSON document, the first that leads to something: names of members and places in lists."""


@dataclass(frozen=True, slots=True)
class Json:
    """Takes values out of JSON, by paths."""

    expressions: tuple[tuple[str, Path], ...]
    source: str
    drop_malformed: bool


@dataclass(frozen=True, slots=True)
class Logfmt:
    """Takes values out of logfmt, by keys."""

    mapping: Names
    source: str


@dataclass(frozen=True, slots=True)
class Regex:
    """Takes what the named groups of a pattern match."""

    expression: str
    source: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Puts something in place of what the groups of a pattern match."""

    expression: str
    source: str
    template: Template


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Sets an extracted value by a template (Promtail's ``template``)."""

    source: str
    template: Template


@dataclass(frozen=True, slots=True)
class Labels:
    """Makes labels of extracted values."""

    labels: Names


@dataclass(frozen=True, slots=True)
class StructuredMetadata:
    """Makes structured metadata of extracted values, or of labels."""

    labels: Names


@dataclass(frozen=True, slots=True)
class StaticLabels:
    """Sets labels."""

    labels: Names


@dataclass(frozen=True, slots=True)
class Timestamp:
    """Sets the time; ``location`` is of the IANA time zone database."""

    source: str
    formats: tuple[str, ...]
    location: str
    fudges: bool


@dataclass(frozen=True, slots=True)
class Output:
    """Makes an extracted value the line."""

    source: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """Sets the tenant, by one of the three."""

    label: str
    source: str
    value: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Drops what fulfils all conditions that are given; ages in nanoseconds, lengths in bytes."""

    source: tuple[str, ...]
    separator: str
    expression: str | None
    value: str | None
    older_than: int | None
    longer_than: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """Joins lines (Promtail's ``multiline``); ``wait`` in seconds."""

    first_line: str
    wait: float
    max_lines: int


@dataclass(frozen=True, slots=True)
class Docker:
    """Reads the files of Docker's json-file."""


@dataclass(frozen=True, slots=True)
class Cri:
    """Reads the format of Kubernetes's runtimes; ``longest`` in bytes, 0 for no limit."""

    most_partial: int
    longest: int


@dataclass(frozen=True, slots=True)
class Condition:
    """A matcher of a label, or, with an empty ``name``, a filter of the line."""

    name: str
    kind: Literal["=", "!=", "=~", "!~", "|=", "|~"]
    value: str


@dataclass(frozen=True, slots=True)
class Match:
    """Runs stages for what fulfils all conditions; drops it if there are none."""

    conditions: tuple[Condition, ...]
    stages: tuple["Stage", ...]
    reason: str


Stage: TypeAlias = (
    Json
    | Logfmt
    | Regex
    | Replace
    | Rewrite
    | Labels
    | StructuredMetadata
    | StaticLabels
    | Timestamp
    | Output
    | Tenant
    | Drop
    | Block
    | Docker
    | Cri
    | Match
)


@dataclass(frozen=True, slots=True)
class PipelineStages:
    """Stages, and the text that they were read from, by which they are compared."""

    text: str
    stages: tuple[Stage, ...] = field(compare=False)

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.stages)


def makes_metadata(stages: Iterable[Stage]) -> bool:
    """Return whether one of the stages makes structured metadata."""
    return any(
        isinstance(stage, StructuredMetadata) or (isinstance(stage, Match) and makes_metadata(stage.stages))
        for stage in stages
    )
