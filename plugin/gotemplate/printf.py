"""Go's ``fmt.Sprintf``: the format, its flags, widths and argument numbers."""

import re
from collections.abc import Sequence

from plugin.gotemplate import runes
from plugin.gotemplate.printer import Flags, Printer
from plugin.gotemplate.values import TypedInt, Value, type_of

_LARGEST_NUMBER = 1_000_000
_ARGUMENT_NUMBER = re.compile(r"\[(?:(?P<digits>[0-9]{1,7})|[^\]]+)\]|\[\](?=.)", re.DOTALL)


def sprintf(form: bytes, arguments: Sequence[Value]) -> bytes:
    """Write arguments by a format; a fault of the format shows in the result, as Go has it.

    Raises ``ActionError`` when the result gets too long, and for a verb that is not supported.
    """
    formatting = _Formatting(runes.decode(form), arguments)
    formatting.run()
    return formatting.printer.out.getvalue()


class _Formatting:
    """The way through one format: where it is, and which argument is next."""

    def __init__(self, form: str, arguments: Sequence[Value]) -> None:
        self.printer = Printer()
        self._form = form
        self._last_closing = form.rfind("]")
        self._arguments = arguments
        self._position = 0
        self._next = 0
        self._is_reordered = False
        self._is_good_number = True
        self._has_number = False

    def run(self) -> None:
        while self._position < len(self._form):
            percent = self._form.find("%", self._position)
            end = len(self._form) if percent < 0 else percent
            if end > self._position:
                self.printer.write(self._form[self._position : end])
            self._position = end + 1
            if percent >= 0:
                self._directive()
        if not self._is_reordered and self._next < len(self._arguments):
            self._extra()

    def _directive(self) -> None:
        flags = self.printer.flags = Flags()
        self._is_good_number = True
        self._has_number = False
        self._read_flags(flags)
        self._argument_number()
        self._read_width(flags)
        self._read_precision(flags)
        if not self._has_number:
            self._argument_number()
        verb = self._peek()
        if not verb:
            self.printer.write("%!(NOVERB)")
            return
        self._position += 1
        if verb == "%":
            self.printer.write("%")
        elif not self._is_good_number:
            self.printer.write(f"%!{verb}(BADINDEX)")
        elif self._next >= len(self._arguments):
            self.printer.write(f"%!{verb}(MISSING)")
        else:
            if verb == "v":
                flags.go_syntax, flags.sharp = flags.sharp, False
                flags.field_names, flags.plus = flags.plus, False
            self.printer.argument(self._arguments[self._next], verb)
            self._next += 1

    def _peek(self) -> str:
        return self._form[self._position : self._position + 1]

    def _read_flags(self, flags: Flags) -> None:
        while (character := self._peek()) and character in "#0+- ":
            match character:
                case "#":
                    flags.sharp = True
                case "0":
                    flags.zero = not flags.minus
                case "+":
                    flags.plus = True
                case "-":
                    flags.minus, flags.zero = True, False
                case _:
                    flags.space = True
            self._position += 1

    def _read_width(self, flags: Flags) -> None:
        if self._peek() == "*":
            flags.width = self._number_argument("%!(BADWIDTH)")
            if flags.width is not None and flags.width < 0:
                flags.width, flags.minus, flags.zero = -flags.width, True, False
            return
        flags.width = self._number()
        if self._has_number and flags.width is not None:
            self._is_good_number = False

    def _read_precision(self, flags: Flags) -> None:
        if self._peek() != "." or self._position + 1 >= len(self._form):
            return
        self._position += 1
        if self._has_number:
            self._is_good_number = False
        self._argument_number()
        if self._peek() == "*":
            flags.precision = self._number_argument("%!(BADPREC)", least=0)
        else:
            flags.precision = self._number() or 0

    def _number_argument(self, complaint: str, least: int = -_LARGEST_NUMBER) -> int | None:
        """Take a width or precision from the arguments."""
        self._position += 1
        self._has_number = False
        number = None
        if self._next < len(self._arguments):
            number = _as_int(self._arguments[self._next])
            self._next += 1
        if number is None or not least <= number <= _LARGEST_NUMBER:
            self.printer.write(complaint)
            return None
        return number

    def _number(self) -> int | None:
        """Read digits; a number that is too large takes the rest of the format with it."""
        start = self._position
        while "0" <= self._peek() <= "9":
            self._position += 1
            if int(self._form[start : self._position]) > 10 * _LARGEST_NUMBER:
                self._position = len(self._form)
                return None
        return int(self._form[start : self._position]) if self._position > start else None

    def _argument_number(self) -> None:
        """Read a number in brackets, which says which argument is next."""
        self._has_number = False
        if self._peek() != "[":
            return
        self._is_reordered = True
        is_closed = self._position < self._last_closing
        found = _ARGUMENT_NUMBER.match(self._form, self._position) if is_closed else None
        self._position = found.end() if found else self._position + 1
        digits = (found["digits"] or "") if found else ""
        self._has_number = digits != ""
        if digits and 0 < int(digits) <= len(self._arguments):
            self._next = int(digits) - 1
        else:
            self._is_good_number = False

    def _extra(self) -> None:
        self.printer.flags = Flags()
        self.printer.write("%!(EXTRA ")
        for position, value in enumerate(self._arguments[self._next :]):
            if position:
                self.printer.write(", ")
            if value is not None:
                self.printer.write(f"{type_of(value).name}=")
            self.printer.argument(value, "v")
        self.printer.write(")")


def _as_int(value: Value) -> int | None:
    if isinstance(value, TypedInt):
        return value.source
    return value if isinstance(value, int) and not isinstance(value, bool) else None
