"""The parts that a template is parsed into."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal: its text, its value, and the integer that it is where an int is wanted (``3.0`` is 3)."""

    text: str
    value: bool | int | float | bytes | None
    integer: int | None = None


@dataclass(frozen=True, slots=True)
class Dot:
    """The value that ``.`` stands for."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; the name has its ``$``."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """The name of a function."""

    name: str


@dataclass(frozen=True, slots=True)
class Access:
    """Fields, methods or map keys, one after the other, from a base on."""

    base: "Operand"
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """An operand and its arguments."""

    first: "Operand"
    arguments: tuple["Operand", ...]


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands, each of which gets the result of the one before as its last argument.

    The result of the last is given to ``variables``: new ones, or with ``assigns`` those that exist.
    """

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False


Operand: TypeAlias = Constant | Dot | Variable | Call | Access | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is printed as it is, in UTF-8."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose result is printed, unless it goes to a variable."""

    source: str
    pipeline: Pipe


@dataclass(frozen=True, slots=True)
class Branch:
    """A condition with what it decides on."""

    source: str
    pipeline: Pipe
    body: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """``if``, or with ``rebinds`` ``with``: the first branch whose condition holds, else ``otherwise``."""

    rebinds: bool
    branches: tuple[Branch, ...]
    otherwise: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """``range``: the body once per item, ``otherwise`` when there is none."""

    source: str
    pipeline: Pipe
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Break:
    """The end of the innermost loop."""


@dataclass(frozen=True, slots=True)
class Continue:
    """The end of this turn of the innermost loop."""


Node: TypeAlias = Text | Action | Conditional | Loop | Break | Continue


def pipelines(nodes: Iterable[Node]) -> Iterator[Pipe]:
    """Return all pipelines of a tree, those in parentheses too."""
    for node in nodes:
        match node:
            case Action():
                yield from _with_inner(node.pipeline)
            case Loop():
                yield from _with_inner(node.pipeline)
                yield from pipelines((*node.body, *node.otherwise))
            case Conditional():
                for branch in node.branches:
                    yield from _with_inner(branch.pipeline)
                    yield from pipelines(branch.body)
                yield from pipelines(node.otherwise)


def _with_inner(pipeline: Pipe) -> Iterator[Pipe]:
    yield pipeline
    for command in pipeline.commands:
        for operand in (command.first, *command.arguments):
            base = operand.base if isinstance(operand, Access) else operand
            if isinstance(base, Pipe):
                yield from _with_inner(base)
