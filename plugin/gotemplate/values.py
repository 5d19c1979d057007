"""The values that a template handles, and their Go types.

Where Python's own types fit they are used: ``None`` is Go's nil (and the value that is not there), ``bool``, ``int``
and ``float`` are Go's ``bool``, ``int`` and ``float64``, and ``bytes`` is Go's ``string``, which is bytes as well.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method that a template can call.

    ``call`` takes values of the types in ``parameters`` and then any number of the type in ``variadic``; a method's
    takes the source of its receiver before them. Arguments after the first whose truth is ``until`` are neither
    evaluated nor given.
    """

    parameters: tuple["GoType", ...]
    result: "GoType"
    call: Callable[..., "Value"]
    variadic: "GoType | None" = None
    until: bool | None = None

    def parameter(self, position: int) -> "GoType":
        """Return the type of the argument at a position that the function takes."""
        if position < len(self.parameters) or self.variadic is None:
            return self.parameters[position]
        return self.variadic

    def takes(self, count: int) -> bool:
        """Return whether the function can be called with so many arguments."""
        if self.variadic is not None:
            return count >= len(self.parameters)
        return count == len(self.parameters)


@dataclass(frozen=True, slots=True, eq=False)
class GoType:
    """A Go type: its name as ``%T`` prints it, and what can be reached from its values.

    The hooks at the end take the source of a value: ``text`` is Go's ``String``, ``go_text`` its ``GoString`` and
    ``json_text`` its ``MarshalJSON``.
    """

    name: str
    fields: Mapping[str, "GoType"] = field(default_factory=dict)
    methods: Mapping[str, Function] = field(default_factory=dict)
    text: Callable[[Any], bytes] | None = None
    go_text: Callable[[Any], bytes] | None = None
    json_text: Callable[[Any], bytes] | None = None


NIL = GoType("<nil>")
BOOL = GoType("bool")
INT = GoType("int")
INT64 = GoType("int64")
BYTE = GoType("uint8")
FLOAT = GoType("float64")
STRING = GoType("string")
STRINGS = GoType("[]string")
STRING_MAP = GoType("map[string]string")
NAME_CHANGER = GoType("func(string) string")

ANY = GoType("interface {}")
"""As the type of a parameter: every value, nil too. As the type of a value: not known before rendering."""

INTEGERS = frozenset({INT, INT64, BYTE})
"""The types of whole numbers."""

_NIL_ALLOWED = frozenset({ANY, STRINGS, STRING_MAP, NAME_CHANGER})


@dataclass(frozen=True, slots=True)
class Strings:
    """A Go ``[]string``, which can be nil besides being empty."""

    items: tuple[bytes, ...]
    is_nil: bool = False


@dataclass(frozen=True, slots=True)
class StringMap:
    """A Go ``map[string]string``, which can be nil besides being empty; ``items`` are in the order of their keys."""

    items: Mapping[bytes, bytes]
    is_nil: bool = False


@dataclass(frozen=True, slots=True)
class TypedInt:
    """An integer of another type than ``int``; ``source`` is its number."""

    type: GoType
    source: int


@dataclass(frozen=True, slots=True)
class Struct:
    """A Go struct: ``source`` is what its methods work on, ``fields`` are its exported fields in Go's order."""

    type: GoType
    source: Any
    fields: Mapping[str, "Value"] = field(default_factory=dict)


Value: TypeAlias = bool | int | float | bytes | Strings | StringMap | TypedInt | Struct | None


def to_bytes(text: str) -> bytes:
    """Encode text from outside as Go has it, UTF-8; what UTF-8 cannot hold becomes bytes that are not valid in it."""
    return text.encode("utf-8", "surrogatepass")


def to_strings(items: Iterable[str] | None) -> Strings:
    """Make a ``[]string`` of texts; nil of ``None``."""
    return Strings((), is_nil=True) if items is None else Strings(tuple(to_bytes(item) for item in items))


def to_string_map(items: Mapping[str, str] | None) -> StringMap:
    """Make a ``map[string]string`` of a mapping; nil of ``None``."""
    if items is None:
        return StringMap({}, is_nil=True)
    encoded = {to_bytes(key): to_bytes(value) for key, value in items.items()}
    return StringMap(dict(sorted(encoded.items())))


def type_of(value: Value) -> GoType:
    """Return the Go type of a value."""
    match value:
        case None:
            return NIL
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case bytes():
            return STRING
        case Strings():
            return STRINGS
        case StringMap():
            return STRING_MAP
        case TypedInt() | Struct():
            return value.type


def described(kind: GoType) -> str:
    """Name a type in a sentence, with its article."""
    if kind is NIL:
        return "nil"
    return f"{'an' if kind.name[0] in 'aeiou' else 'a'} {kind.name}"


def nil_allowed(kind: GoType) -> bool:
    """Return whether an argument of a type may be nil."""
    return kind in _NIL_ALLOWED


def nil_of(kind: GoType) -> Value:
    """Return the nil of a type for which nil is allowed."""
    if kind is STRINGS:
        return to_strings(None)
    return to_string_map(None) if kind is STRING_MAP else None


def is_nil(value: Value) -> bool:
    """Return whether a value is nil, also a nil of a type."""
    return value is None or (isinstance(value, Strings | StringMap) and value.is_nil)


def truth(value: Value) -> bool:
    """Return whether ``if`` takes a value for true: it is not the zero of its type, and not empty."""
    match value:
        case Strings() | StringMap():
            return bool(value.items)
        case TypedInt():
            return bool(value.source)
        case Struct():
            return True
        case _:
            return bool(value)


def weight(value: Value) -> int:
    """Estimate the units of work that handling a value takes."""
    match value:
        case bytes():
            return len(value)
        case Strings() | StringMap():
            return len(value.items)
        case Struct():
            return sum(weight(item) for item in value.fields.values())
        case _:
            return 1
