"""How log-opts are declared: an `Option` each, in classes of `Options`, and a `Schema` of all that is known.

A class of options is read on the class as declarations, and on an instance as typed values::

    class HttpOptions(SinkOptions):
        method = Option(name="http-method", kind=types.choice("POST", "PUT"), default="POST", help="…")

    HttpOptions.method  # the Option[str]
    options.method  # the str

Validation (`plugin.config.options`) and the reference (`plugin.config.options_page`) both read these declarations.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, Never, NoReturn, Self, TypeVar, cast, get_args, overload

from plugin.config.pipeline_stages.model import Stage
from plugin.config.types import Kind
from plugin.docker.info import Info

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Group = Literal["sinks", "journal", "records", "shaping", "delivery", "engine", "sink"]
"""What an option is for: choosing sinks, the journal, what goes along with records, shaping these, delivery, …"""

GROUPS: tuple[Group, ...] = get_args(Group)

PER_INSTANCE: tuple[Group, ...] = ("records", "shaping", "delivery", "sink")
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

    @property
    def options(self) -> "tuple[Option[T_co], ...]":
        """The option itself, as one that fields of a class of options declare."""
        return (self,)

    def default_value(self) -> T_co:
        """Return the value of the default; None where it has none, as the type of its declaration says.

        A family's is a mapping without anything in it.
        """
        if self.is_family:
            return cast("T_co", MappingProxyType({}))
        return cast("T_co", None if self.default is None else self.kind.parse(self.default))

    @overload
    def __get__(self, instance: None, owner: type) -> "Option[T_co]": ...
    @overload
    def __get__(self, instance: "Options", owner: type) -> T_co: ...
    def __get__(self, instance: "Options | None", owner: type) -> "Option[T_co] | T_co":
        """Return the declaration on a class of options, and its value on an instance."""
        return self if instance is None else instance.value_of(self)

    def __set__(self, instance: "Options", value: Never) -> NoReturn:
        """Refuse to change a value."""
        raise AttributeError(f"the value of {self.name} cannot be changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Option[T_co]):
    """Many log-opts that begin alike, such as ``include.*``: the value is what was given, by what is behind the dot."""

    @overload  # type: ignore[override]
    def __get__(self, instance: None, owner: type) -> "Family[T_co]": ...
    @overload
    def __get__(self, instance: "Options", owner: type) -> Mapping[str, T_co]: ...
    def __get__(self, instance: "Options | None", owner: type) -> "Family[T_co] | Mapping[str, T_co]":
        """Return the declaration on a class of options, and the values on an instance."""
        return self if instance is None else cast("Mapping[str, T_co]", instance.value_of(self))


class Options:
    """Options that belong together, by one class: its `Option` fields are declarations, and values on an instance.

    An instance is made by validation, of typed values by the names of options; those names begin with ``prefix`` where
    the class is `Nested` in another.
    """

    options: ClassVar[tuple[Option[Any], ...]] = ()
    """All declarations, in the order of the reference, those of nested classes included."""

    def __init_subclass__(cls) -> None:
        """Collect the declarations, those of base classes first; one that is declared again keeps its place."""
        super().__init_subclass__()
        cls.options = tuple(option for member in _members(cls) for option in member.options)

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix

    @classmethod
    def defaults_alone(cls) -> Self:
        """Return the values that hold where nothing is given."""
        return cls({option.name: option.default_value() for option in cls.options})

    def value_of(self, option: Option[T]) -> T:
        """Return the value of one option of this class."""
        return cast("T", self._values[self._prefix + option.name])

    def name_of(self, option: Option[Any]) -> str:
        """Return the name under which one option of this class is given."""
        return self._prefix + option.name

    def nested(self, kind: "type[G]", prefix: str) -> "G":
        """Return the values of a class that is nested in this one."""
        return kind(self._values, self._prefix + prefix)

    def check(self) -> Iterator[str]:
        """Yield the faults of values that do not go together: in here, those of the nested classes."""
        for member in _members(type(self)):
            if isinstance(member, Nested):
                yield from member.__get__(self, type(self)).check()

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield what keeps values from working for a container that starts, such as a file that is not there.

        Asked at its first start only, since it may change later. In here, that of the nested classes.
        """
        for member in _members(type(self)):
            if isinstance(member, Nested):
                yield from member.__get__(self, type(self)).check_start(info)

    def __eq__(self, other: object) -> bool:
        """Compare the class and all values."""
        return type(other) is type(self) and isinstance(other, Options) and self._shown() == other._shown()

    def __hash__(self) -> int:
        """Hash the values, which must be hashable."""
        return hash(tuple(self._shown().items()))

    def __repr__(self) -> str:
        """Show the values; secrets do not show themselves."""
        return f"{type(self).__name__}({self._shown()})"

    def _shown(self) -> dict[str, Any]:
        names = [self._prefix + option.name for option in self.options]
        return {name: self._values[name] for name in names if name in self._values}


G = TypeVar("G", bound=Options)


class Nested(Generic[G]):
    """A field of `Options` that holds other options, whose names begin with ``prefix`` there."""

    def __init__(self, kind: type[G], prefix: str) -> None:
        self._kind = kind
        self._prefix = prefix
        self.options = tuple(replace(option, name=prefix + option.name) for option in kind.options)

    @overload
    def __get__(self, instance: None, owner: type) -> "Nested[G]": ...
    @overload
    def __get__(self, instance: Options, owner: type) -> G: ...
    def __get__(self, instance: Options | None, owner: type) -> "Nested[G] | G":
        """Return the declaration on a class of options, and the nested values on an instance."""
        return self if instance is None else instance.nested(self._kind, self._prefix)

    def __set__(self, instance: Options, value: Never) -> NoReturn:
        """Refuse to change the values."""
        raise AttributeError("options cannot be changed")


def _members(owner: type[Options]) -> list[Option[Any] | Nested[Any]]:
    members: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        members |= {name: value for name, value in vars(base).items() if isinstance(value, (Option, Nested))}
    return list(members.values())


class SinkOptions(Options):
    """What a sink declares."""

    name: ClassVar[str] = ""
    prefix: ClassVar[str] = ""
    """With its dash, ``loki-``. A known option that begins so chooses the sink."""
    help: ClassVar[str] = ""
    """Where the sink sends, in one sentence of plain text."""
    acknowledged: ClassVar[str] = ""
    """What its acknowledgement is worth, in one sentence of plain text."""
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The defaults of common options where they differ for this sink, such as ``{"tag": "{{.FullID}}"}``."""
    keeps_empty: ClassVar[frozenset[str]] = frozenset()
    """Names of common options that may be empty for this sink, where an empty text elsewhere means the default."""

    @property
    def destination(self) -> str:
        """Where it sends to, for people: an address without anything secret in it."""
        raise NotImplementedError

    def read_stages(self) -> Sequence[Stage]:
        """Return the pipeline stages that records go through last, where the sink has an option for such.

        They may be in a file. Raises `ValueError` if that cannot be read, or holds none.
        """
        return ()


@dataclass(frozen=True, slots=True)
class Known:
    """What a name in a log-opt stands for."""

    option: Option[Any]
    sink: type[SinkOptions] | None
    """The sink that the option belongs to; None for a common option."""
    is_file: bool
    """Whether the name is the twin that gives a secret by a file."""


class Schema:
    """All options that are known: the common ones and those of each sink.

    Raises `ValueError` for declarations that contradict one another: a name declared twice, a default that its own kind
    refuses, or a reference to a common option that does not exist.
    """

    def __init__(self, common: Iterable[Option[Any]], sinks: Iterable[type[SinkOptions]] = ()) -> None:
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

    def _declare_sink(self, sink: type[SinkOptions]) -> None:
        for name in (*sink.defaults, *sink.keeps_empty, *(o.stands_for for o in sink.options if o.stands_for)):
            if name not in self._common_by_name:
                raise ValueError(f"sink {sink.name} refers to a common option {name}, which does not exist")
        for name, default in sink.defaults.items():
            self._common_by_name[name].kind.parse(default)
        for option in sink.options:
            self._declare(option, sink)

    def _declare(self, option: Option[Any], sink: type[SinkOptions] | None) -> None:
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

    def sink(self, name: str) -> type[SinkOptions] | None:
        """Return the declaration of a sink, None if it is unknown."""
        return self._sinks_by_name.get(name)

    def split(self, written: str) -> tuple[str, str]:
        """Split a name as it was written into the instance of a sink, empty for all, and the name without it.

        Names of instances have no dot, those of families may: ``audit.add-field.team.name``.
        """
        instance, _, rest = written.partition(".")
        if self._is_dotted(written):
            return "", written
        if self._is_dotted(rest):
            return instance, rest
        instance, _, name = written.rpartition(".")
        return instance, name

    def begins_names(self, word: str) -> bool:
        """Return whether a word and a dot begin the names of a family, so that it can be no instance's."""
        return any(family.option.name == f"{word}.*" for family in self._families)

    def _is_dotted(self, name: str) -> bool:
        return any(
            family.option.name.endswith(".*") and name.startswith(family.option.name[:-1]) for family in self._families
        )

    def names(self, groups: Container[Group] = GROUPS) -> Iterator[str]:
        """Yield every name that a log-opt of these groups may have, without those of instances."""
        return (name for name, known in self._known.items() if known.option.group in groups)
