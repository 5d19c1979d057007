"""What may be given to functions and methods, and what values have: the rules that hold before and while rendering."""

from plugin.gotemplate.errors import ActionError, did_you_mean, shown
from plugin.gotemplate.nodes import Constant
from plugin.gotemplate.values import (
    ANY,
    INT,
    STRING,
    Function,
    GoType,
    Value,
    described,
    nil_allowed,
    nil_of,
    type_of,
)

_FOR_MISSING_KEY = " (a key that a map does not have is no value; with 'index' it is an empty string)"


def check_count(name: str, function: Function, count: int) -> None:
    """Raise ``ActionError`` unless a function takes so many arguments."""
    if not function.takes(count):
        least = len(function.parameters)
        bound = "at least " if function.variadic else ""
        wanted = f"{bound}{least or 'no'} argument{'' if least == 1 else 's'}"
        raise ActionError(f"'{name}' takes {wanted}, not {count}")


def check_type(kind: GoType, wanted: GoType) -> None:
    """Raise ``ActionError`` when values of a type can never be an argument of the wanted type."""
    if wanted is not ANY and kind not in {ANY, wanted}:
        raise ActionError(f"{described(kind)} where {described(wanted)} is wanted")


def conform(value: Value, wanted: GoType) -> Value:
    """Make a value an argument of a type; raises ``ActionError`` when it is of another."""
    if value is not None:
        check_type(type_of(value), wanted)
        return value
    if not nil_allowed(wanted):
        raise ActionError(f"no value where {described(wanted)} is wanted", _FOR_MISSING_KEY)
    return nil_of(wanted)


def conform_constant(constant: Constant, wanted: GoType) -> Value:
    """Make a literal an argument of a type; raises ``ActionError`` when it does not fit."""
    if constant.value is None:
        if not nil_allowed(wanted):
            raise ActionError(f"nil where {described(wanted)} is wanted")
        return nil_of(wanted)
    if wanted is INT and constant.integer is not None:
        return constant.integer
    if wanted is ANY or (wanted is STRING and isinstance(constant.value, bytes)):
        return constant.value
    raise ActionError(f"{shown(constant.text)} where {described(wanted)} is wanted")


def unknown_member(kind: GoType, name: str) -> ActionError:
    """Return the error for a type that has no field, method or key of a name."""
    known = [f".{member}" for member in (*kind.methods, *kind.fields)]
    owner = "" if kind.fields else f" of {described(kind)}"
    return ActionError(f"unknown field {shown(f'.{name}')}{owner}", did_you_mean(name, known))
