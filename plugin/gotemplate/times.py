"""Go's ``time.Time`` as far as a template needs it: read from JSON, printed, formatted and taken apart."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from plugin.gotemplate import runes, timelayout
from plugin.gotemplate.values import BOOL, INT, INT64, STRING, Function, GoType, Struct, TypedInt, Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_A_DAY = 86400
_MICROSECOND, _MILLISECOND, _SECOND = 1_000, 1_000_000, 1_000_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: a whole second with its zone, and the nanoseconds beyond it."""

    second: datetime
    nanosecond: int = 0

    def format(self, layout: str) -> bytes:
        """Write the moment in one of Go's layouts."""
        return runes.encode(timelayout.format_time(self.second, self.nanosecond, layout))

    def since_epoch(self, unit: int) -> int:
        """Whole units of so many nanoseconds since 1970."""
        since = self.second - _EPOCH
        return ((since.days * _SECONDS_A_DAY + since.seconds) * _SECOND + self.nanosecond) // unit

    def weekday(self) -> int:
        """Return the day of the week; Sunday is 0."""
        return self.second.isoweekday() % 7


ZERO = Moment(datetime(1, 1, 1, tzinfo=UTC))
"""The moment that Go's ``time.Time`` has when nothing was set."""


def read_time(text: str) -> Struct:
    """Make a ``time.Time`` of RFC 3339 text, which is how Go writes one in JSON; the zero time of any other text."""
    return Struct(TIME, Moment(*(timelayout.read_rfc3339(text) or (ZERO.second, 0))))


def _text(moment: Moment) -> bytes:
    return moment.format("2006-01-02 15:04:05.999999999 -0700 MST")


def _json_text(moment: Moment) -> bytes:
    return moment.format('"2006-01-02T15:04:05.999999999Z07:00"')


def _go_text(moment: Moment) -> bytes:
    at = moment.second
    zone = 'time.Location("")' if at.utcoffset() else "time.UTC"
    clock = f"{at.day}, {at.hour}, {at.minute}, {at.second}, {moment.nanosecond}"
    return f"time.Date({at.year}, time.{timelayout.month_name(at.month)}, {clock}, {zone})".encode()


def _named_integer(name: str, text: Callable[[int], str]) -> GoType:
    def encoded(number: int) -> bytes:
        return text(number).encode()

    return GoType(name, methods={"String": Function((), STRING, encoded)}, text=encoded)


MONTH = _named_integer("time.Month", timelayout.month_name)
WEEKDAY = _named_integer("time.Weekday", timelayout.day_name)


def _method(result: GoType, call: Callable[[Moment], Value]) -> Function:
    return Function((), result, call)


def _since_epoch(unit: int) -> Function:
    return _method(INT64, lambda moment: TypedInt(INT64, moment.since_epoch(unit)))


def _format(moment: Moment, layout: bytes) -> bytes:
    return moment.format(runes.decode(layout))


def _utc(moment: Moment) -> Struct:
    return Struct(TIME, Moment(moment.second.astimezone(UTC), moment.nanosecond))


_METHODS: dict[str, Function] = {
    "Day": _method(INT, lambda moment: moment.second.day),
    "Format": Function((STRING,), STRING, _format),
    "Hour": _method(INT, lambda moment: moment.second.hour),
    "IsZero": _method(BOOL, lambda moment: moment == ZERO),
    "Minute": _method(INT, lambda moment: moment.second.minute),
    "Month": _method(MONTH, lambda moment: TypedInt(MONTH, moment.second.month)),
    "Nanosecond": _method(INT, lambda moment: moment.nanosecond),
    "Second": _method(INT, lambda moment: moment.second.second),
    "String": _method(STRING, _text),
    "Unix": _since_epoch(_SECOND),
    "UnixMicro": _since_epoch(_MICROSECOND),
    "UnixMilli": _since_epoch(_MILLISECOND),
    "UnixNano": _since_epoch(1),
    "Weekday": _method(WEEKDAY, lambda moment: TypedInt(WEEKDAY, moment.weekday())),
    "Year": _method(INT, lambda moment: moment.second.year),
    "YearDay": _method(INT, lambda moment: timelayout.day_of_year(moment.second)),
}
TIME = GoType("time.Time", methods=_METHODS, text=_text, go_text=_go_text, json_text=_json_text)
_METHODS["UTC"] = Function((), TIME, _utc)
