"""Go's comparisons in templates: ``eq ne lt le gt ge``."""

from plugin.gotemplate.errors import ActionError
from plugin.gotemplate.values import Struct, TypedInt, Value, described, is_nil, type_of

_Basic = bool | int | float | bytes


def equal(first: Value, *others: Value) -> bool:
    """Return whether a value equals one of the others; raises ``ActionError`` for types that cannot be compared."""
    return any(_equal(first, other) for other in others)


def not_equal(first: Value, second: Value) -> bool:
    """Return whether two values differ; raises as ``equal``."""
    return not _equal(first, second)


def less(first: Value, second: Value) -> bool:
    """Return whether a value is less than another; raises ``ActionError`` unless both are numbers or both strings."""
    match _basic(first), _basic(second):
        case (bool(), _) | (_, bool()) | (None, _) | (_, None):
            raise _incompatible("no order between", first, second)
        case bytes() as text, bytes() as other_text:
            return text < other_text
        case int() as number, int() as other_number:
            return number < other_number
        case float() as number, float() as other_number:
            return number < other_number
        case _:
            raise _incompatible("cannot compare", first, second)


def less_or_equal(first: Value, second: Value) -> bool:
    """Return whether a value is at most another; raises as ``less``."""
    return less(first, second) or _equal(first, second)


def greater(first: Value, second: Value) -> bool:
    """Return whether a value is more than another; raises as ``less``."""
    return not less_or_equal(first, second)


def greater_or_equal(first: Value, second: Value) -> bool:
    """Return whether a value is at least another; raises as ``less``."""
    return not less(first, second)


def _equal(first: Value, second: Value) -> bool:
    basic, other = _basic(first), _basic(second)
    if basic is not None and other is not None:
        if type(basic) is not type(other):
            raise _incompatible("cannot compare", first, second)
        return basic == other
    if first is None or second is None:
        return is_nil(first) and is_nil(second)
    if basic is not None or other is not None or type_of(first) is not type_of(second):
        raise _incompatible("cannot compare", first, second)
    if is_nil(first) or is_nil(second):
        return is_nil(first) and is_nil(second)
    if isinstance(first, Struct) and isinstance(second, Struct):
        return bool(first.source == second.source)
    raise _incompatible("cannot compare", first, second)


def _basic(value: Value) -> _Basic | None:
    """Return a value as Python compares it; None for what is neither bool nor number nor string."""
    if isinstance(value, TypedInt):
        return value.source
    return value if isinstance(value, _Basic) else None


def _incompatible(complaint: str, first: Value, second: Value) -> ActionError:
    return ActionError(f"{complaint} {described(type_of(first))} and {described(type_of(second))}")
