"""Go's ``fmt.Sprint`` and ``fmt.Sprintln``, and how an action prints its value."""

from collections.abc import Callable, Iterable

from plugin.gotemplate.printer import Printer
from plugin.gotemplate.values import Value

NO_VALUE = b"<no value>"
"""What Go prints for a value that is not there."""


def sprint(values: Iterable[Value]) -> bytes:
    """Go's ``fmt.Sprint``: a space between two arguments of which neither is a string."""
    return _sprint(values, Printer.argument)


def sprint_displayed(values: Iterable[Value]) -> bytes:
    """Write several values as ``sprint``, but each as an action prints it; the escaping functions do so."""
    return _sprint((NO_VALUE if value is None else value for value in values), Printer.value)


def _sprint(values: Iterable[Value], write: Callable[[Printer, Value, str], None]) -> bytes:
    printer = Printer()
    follows_text = True
    for value in values:
        is_text = isinstance(value, bytes)
        if not is_text and not follows_text:
            printer.write(" ")
        write(printer, value, "v")
        follows_text = is_text
    return printer.out.getvalue()


def sprintln(values: Iterable[Value]) -> bytes:
    """Go's ``fmt.Sprintln``: a space between all arguments, and a new line at the end."""
    printer = Printer()
    for position, value in enumerate(values):
        if position:
            printer.write(" ")
        printer.argument(value, "v")
    printer.write("\n")
    return printer.out.getvalue()


def display(value: Value) -> bytes:
    """Write a value as an action prints it; what is not there is ``NO_VALUE``, and pointers are seen through."""
    return sprint_displayed([value])
