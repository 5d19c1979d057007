"""How Go's ``fmt`` writes one value for one verb."""

from dataclasses import dataclass

from plugin.gotemplate import escapes, floats, runes
from plugin.gotemplate.errors import ActionError
from plugin.gotemplate.limits import Output, check_length
from plugin.gotemplate.values import (
    BYTE,
    StringMap,
    Strings,
    Struct,
    TypedInt,
    Value,
    described,
    type_of,
)

_BASES = {"v": 10, "d": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
_DIGITS = {2: "b", 8: "o", 10: "d", 16: "x"}
_PREFIXES = {"b": "0b", "x": "0x", "X": "0X"}
_TEXT_VERBS = frozenset("vsxXq")
_FLOAT_FORMS = {"v": "g", "g": "g", "G": "G", "e": "e", "E": "E", "f": "f", "F": "f"}
_DEFAULT_DIGITS = 6
_CODE_POINT_DIGITS = 4


@dataclass(slots=True)
class Flags:
    """What stands between the ``%`` and the verb; ``go_syntax`` is ``%#v`` and ``field_names`` is ``%+v``."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    go_syntax: bool = False
    field_names: bool = False
    width: int | None = None
    precision: int | None = None


class Printer:
    """A writer of values into ``out``; ``flags`` hold for what is written next.

    Whatever it writes raises ``ActionError`` when the output gets too long.
    """

    def __init__(self) -> None:
        self.out = Output()
        self.flags = Flags()
        self._reports_bad_verb = False

    def write(self, text: str) -> None:
        """Write text as it is."""
        self.out.write(runes.encode(text))

    def argument(self, value: Value, verb: str) -> None:
        """Write an argument of ``Printf``, the verb being one character."""
        if value is None:
            if verb in {"v", "T"}:
                self._pad(b"<nil>")
            else:
                self._bad_verb(value, verb)
        elif verb == "T":
            self._padded_text(type_of(value).name.encode())
        elif verb == "p" and not isinstance(value, bytes | bool | int | float | TypedInt):
            raise ActionError("the verb '%p' is not supported")
        else:
            if isinstance(value, Struct) and value.type.name.startswith("*"):
                self.write("&")
            self.value(value, verb)

    def value(self, value: Value, verb: str) -> None:
        """Write a value, or part of one, for a verb other than ``T``; pointers are seen through."""
        match value:
            case None:
                self.write("<nil>")
            case bool():
                self._bool(value, verb)
            case int():
                self._integer(value, verb, value)
            case float():
                self._float(value, verb)
            case bytes():
                self._string(value, verb, value)
            case TypedInt():
                self._typed(value, verb)
            case Struct():
                self._struct(value, verb)
            case Strings():
                self._strings(value, verb)
            case StringMap():
                self._map(value, verb)

    def _bad_verb(self, value: Value, verb: str) -> None:
        self._reports_bad_verb = True
        self.write(f"%!{verb}(")
        if value is not None:
            self.write(f"{type_of(value).name}=")
        self.value(value, "v")
        self.write(")")
        self._reports_bad_verb = False

    def _typed(self, value: TypedInt, verb: str) -> None:
        if not self._own_text(value, verb):
            self._integer(value.source, verb, value)

    def _own_text(self, value: TypedInt | Struct, verb: str) -> bool:
        """Write a value by its own methods where ``fmt`` uses them; tell whether it did."""
        text, go_text = value.type.text, value.type.go_text
        if self._reports_bad_verb:
            return False
        if self.flags.go_syntax and go_text is not None:
            self._padded_text(go_text(value.source))
            return True
        if self.flags.go_syntax or text is None or verb not in _TEXT_VERBS:
            return False
        self._string(text(value.source), verb, value)
        return True

    def _struct(self, value: Struct, verb: str) -> None:
        if self._own_text(value, verb):
            return
        if not value.fields:
            raise ActionError(f"the verb '%{verb}' cannot be used for {described(value.type)}")
        if self.flags.go_syntax:
            self.write(value.type.name.removeprefix("*"))
        self.write("{")
        for position, (name, item) in enumerate(value.fields.items()):
            self._separate(position)
            if self.flags.go_syntax or self.flags.field_names:
                self.write(f"{name}:")
            self.value(item, verb)
        self.write("}")

    def _strings(self, value: Strings, verb: str) -> None:
        if not self._opened(value, "["):
            return
        for position, item in enumerate(value.items):
            self._separate(position)
            self._string(item, verb, item)
        self.write("}" if self.flags.go_syntax else "]")

    def _map(self, value: StringMap, verb: str) -> None:
        if not self._opened(value, "map["):
            return
        for position, (key, item) in enumerate(value.items.items()):
            self._separate(position)
            self._string(key, verb, key)
            self.write(":")
            self._string(item, verb, item)
        self.write("}" if self.flags.go_syntax else "]")

    def _opened(self, value: Strings | StringMap, opening: str) -> bool:
        """Write what comes before items; tell whether they follow."""
        if not self.flags.go_syntax:
            self.write(opening)
            return True
        self.write(type_of(value).name)
        self.write("(nil)" if value.is_nil else "{")
        return not value.is_nil

    def _separate(self, position: int) -> None:
        if position:
            self.write(", " if self.flags.go_syntax else " ")

    def _bool(self, value: bool, verb: str) -> None:
        if verb in {"t", "v"}:
            self._pad(b"true" if value else b"false")
        else:
            self._bad_verb(value, verb)

    def _string(self, data: bytes, verb: str, value: Value) -> None:
        """Write text for a verb, whose value is shown when the verb does not fit."""
        if verb == "q" or (verb == "v" and self.flags.go_syntax):
            self._quoted(self._cut(data))
        elif verb in {"v", "s"}:
            self._padded_text(data)
        elif verb in {"x", "X"}:
            self._hexadecimal(data, verb)
        else:
            self._bad_verb(value, verb)

    def _padded_text(self, data: bytes) -> None:
        self._pad(self._cut(data))

    def _cut(self, data: bytes) -> bytes:
        if self.flags.precision is None:
            return data
        return runes.encode(runes.decode(data)[: self.flags.precision])

    def _quoted(self, data: bytes) -> None:
        if self.flags.sharp and escapes.fits_back_quotes(data):
            self._pad(b"`" + data + b"`")
        else:
            self._pad(escapes.go_quoted(data, ascii_only=self.flags.plus).encode())

    def _hexadecimal(self, data: bytes, verb: str) -> None:
        data = data if self.flags.precision is None else data[: self.flags.precision]
        prefix = f"0{verb}" if self.flags.sharp and data else ""
        separator = f" {prefix}" if self.flags.space else ""
        digits = [f"{byte:02{verb}}" for byte in data]
        self._pad((prefix + separator.join(digits)).encode(), can_zero=True)

    def _integer(self, number: int, verb: str, value: Value) -> None:
        match verb:
            case "c":
                self._pad(runes.from_code(number).encode())
            case "q":
                character = runes.from_code(number).encode()
                self._pad(escapes.go_quoted(character, "'", ascii_only=self.flags.plus).encode())
            case "U":
                self._code_point(number)
            case "v" if self.flags.go_syntax and type_of(value) is BYTE:
                self._pad(f"{number:#x}".encode())
            case _ if verb in _BASES:
                self._number(number, verb)
            case _:
                self._bad_verb(value, verb)

    def _number(self, number: int, verb: str) -> None:
        digits = format(abs(number), _DIGITS[_BASES[verb]])
        digits = digits.upper() if verb == "X" else digits
        sign = "-" if number < 0 else "+" if self.flags.plus else " " if self.flags.space else ""
        least = self.flags.precision
        if least == 0 and number == 0:
            self.out.fill(b" ", self.flags.width or 0)
            return
        if least is None:
            least = (self.flags.width or 0) - len(sign) if self.flags.zero else 0
        digits = digits.rjust(check_length(max(least, 0)), "0")
        if self.flags.sharp and verb in {"o", "O"} and digits[0] != "0":
            digits = f"0{digits}"
        prefix = "0o" if verb == "O" else _PREFIXES.get(verb, "") if self.flags.sharp else ""
        self._pad(f"{sign}{prefix}{digits}".encode(), can_zero=False)

    def _code_point(self, number: int) -> None:
        least = max(self.flags.precision or 0, _CODE_POINT_DIGITS)
        text = f"U+{format(number % 2**64, 'X').rjust(check_length(least), '0')}"
        character = runes.from_code(number)
        if self.flags.sharp and ord(character) == number and character.isprintable():
            text += f" '{character}'"
        self._pad(text.encode(), can_zero=False)

    def _float(self, number: float, verb: str) -> None:
        form = _FLOAT_FORMS.get(verb)
        if verb in {"b", "x", "X"}:
            raise ActionError(f"the verb '%{verb}' is not supported for a number with a fraction")
        if form is None:
            self._bad_verb(number, verb)
            return
        digits = self.flags.precision
        if digits is None and form not in "gG":
            digits = _DEFAULT_DIGITS
        text = floats.format_float(abs(number), form, None if digits is None else check_length(digits))
        if self.flags.sharp:
            least = 0 if form not in "gG" else _DEFAULT_DIGITS if digits is None else digits
            text = floats.with_point(text, least)
        negative = str(number).startswith("-")
        sign = "-" if negative else "+" if self.flags.plus else " " if self.flags.space else ""
        if sign and self.flags.zero:
            self.write(sign)
            self.out.fill(b"0", (self.flags.width or 0) - len(sign) - len(text))
            self.write(text)
        else:
            self._pad(f"{sign}{text}".encode())

    def _pad(self, data: bytes, *, can_zero: bool = True) -> None:
        missing = (self.flags.width or 0) - runes.count(data)
        if self.flags.minus:
            self.out.write(data)
            self.out.fill(b" ", missing)
        else:
            self.out.fill(b"0" if self.flags.zero and can_zero else b" ", missing)
            self.out.write(data)
