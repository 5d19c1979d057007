"""How log-opts are declared: an `Option` each, `SinkOptions` per sink, and a `Schema` of all that is known.

Validation (`plugin.config.options`) and the reference (`plugin.config.options_page`) both read these declarations.
A sink is added by giving the schema one more `SinkOptions`; nothing else here or there changes.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar, get_args

from plugin.config.types import Kind

T_co = TypeVar("T_co", covariant=True)

Group = Literal["sinks", "journal", "records", "delivery", "engine", "sink"]
"""What an option is for: choosing sinks, the journal, what goes along with records, delivery, the engine, one sink."""

GROUPS: tuple[Group, ...] = get_args(Group)

PER_INSTANCE: tuple[Group, ...] = ("records", "delivery", "sink")
"""The groups whose options may be given for one sink alone: ``audit.tag=…``."""

FILE_SUFFIX = "-file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option(Generic[T_co]):
    """One log-opt."""

    name: str
    """Its name; one that ends in ``*`` stands for all names that begin so."""
    kind: Kind[T_co]
    help: str
    """Its meaning, in one or two sentences of plain text."""
    group: Group = "sink"
    default: str | None = None
    """The text that is read where it is not given; None for no value."""
    shown_default: str = ""
    """The default in words, where the text would say less."""
    required: bool = False
    stands_for: str | None = None
    """The common option that this option of a sink replaces there, such as ``batch-wait`` for ``loki-batch-wait``."""
    superseded: str = ""
    """For an option that is accepted and does nothing: what Peavey does instead."""

    @property
    def is_family(self) -> bool:
        """Whether it stands for many names."""
        return self.name.endswith("*")

    @property
    def twin(self) -> str | None:
        """The name of the option that gives the value by a file, which every secret option has."""
        return self.name + FILE_SUFFIX if self.kind.secret else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkOptions:
    """What a sink declares."""

    name: str
    prefix: str
    """With its dash, ``loki-``. A known option that begins so chooses the sink."""
    help: str
    """Where the sink sends, in one sentence of plain text."""
    options: tuple[Option[Any], ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    """The defaults of common options where they differ for this sink, such as ``{"tag": "{{.FullID}}"}``."""
    keeps_empty: frozenset[str] = frozenset()
    """Names of common options that may be empty for this sink, where an empty text elsewhere means the default."""
    check: Callable[[Mapping[str, Any]], Iterable[str]] = lambda _values: ()
    """Yields the faults of values that do not go together; takes the typed values, by name."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a name in a log-opt stands for."""

    option: Option[Any]
    sink: SinkOptions | None
    """The sink that the option belongs to; None for a common option."""
    is_file: bool
    """Whether the name is the twin that gives a secret by a file."""


class Schema:
    """All options that are known: the common ones and those of each sink.

    Raises `ValueError` for declarations that contradict one another: a name declared twice, a default that its own kind
    refuses, or a reference to a common option that does not exist.
    """

    def __init__(self, common: Iterable[Option[Any]], sinks: Iterable[SinkOptions] = ()) -> None:
        self.common = tuple(common)
        self.sinks = tuple(sinks)
        self._known: dict[str, Known] = {}
        self._families: list[Known] = []
        self._sinks_by_name = {sink.name: sink for sink in self.sinks}
        if len(self._sinks_by_name) < len(self.sinks):
            raise ValueError("a sink is declared twice")
        for option in self.common:
            self._declare(option, None)
        self._common_by_name = MappingProxyType({option.name: option for option in self.common})
        for sink in self.sinks:
            self._declare_sink(sink)

    def _declare_sink(self, sink: SinkOptions) -> None:
        for name in (*sink.defaults, *sink.keeps_empty, *(o.stands_for for o in sink.options if o.stands_for)):
            if name not in self._common_by_name:
                raise ValueError(f"sink {sink.name} refers to a common option {name}, which does not exist")
        for name, default in sink.defaults.items():
            self._common_by_name[name].kind.parse(default)
        for option in sink.options:
            self._declare(option, sink)

    def _declare(self, option: Option[Any], sink: SinkOptions | None) -> None:
        if option.default is not None:
            option.kind.parse(option.default)
        if option.is_family:
            self._families.append(Known(option, sink, is_file=False))
            return
        for name in filter(None, (option.name, option.twin)):
            if name in self._known:
                raise ValueError(f"log-opt {name} is declared twice")
            self._known[name] = Known(option, sink, is_file=name != option.name)

    def find(self, name: str) -> Known | None:
        """Return what a name stands for, None if it is unknown; the name is without an instance's."""
        if known := self._known.get(name):
            return known
        return next((family for family in self._families if name.startswith(family.option.name[:-1])), None)

    def sink(self, name: str) -> SinkOptions | None:
        """Return the declaration of a sink, None if it is unknown."""
        return self._sinks_by_name.get(name)

    def names(self, groups: Container[Group] = GROUPS) -> Iterator[str]:
        """Yield every name that a log-opt of these groups may have, without those of instances."""
        return (name for name, known in self._known.items() if known.option.group in groups)
