"""Redaction: what is not for everybody is replaced, in lines and in fields."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from plugin.config.transform_options import TransformOptions
from plugin.records.record import Record
from plugin.transforms.base import NOTHING_DROPPED, Holder, Reason, held_since
from plugin.transforms.patterns import Pattern, any_of, compile_bytes, finder, most_matches
from plugin.transforms.sensitive import KINDS, TELLING_NAME

_LONGEST_KEY = 400
_KEY_PATIENCE = 5.0


class _Kind:
    """One pattern and what is put in place of what it matches.

    Those that Peavey knows take linear time to find all; ``is_foreign`` is one of which that is not certain.
    """

    __slots__ = ("_check", "_is_foreign", "_pattern", "_with")

    def __init__(
        self,
        pattern: str,
        replacement: bytes,
        check: Callable[[bytes], bool] | None = None,
        *,
        is_foreign: bool = False,
    ) -> None:
        self._pattern: Pattern = compile_bytes(pattern)
        self._with = replacement
        self._check = check
        self._is_foreign = is_foreign

    def redact(self, text: bytes) -> bytes:
        """Replace the groups that took part in a match, or the whole match if the pattern has none.

        Where there are too many of them, all that is left of the text is replaced.
        """
        pieces: list[bytes] = []
        end = 0
        groups = range(1, self._pattern.groups + 1) if self._pattern.groups else (0,)
        most = most_matches(text) if self._is_foreign else math.inf
        for number, match in enumerate(self._pattern.finditer(text)):
            if number == most:
                start = max(end, match.span()[0])
                return b"".join((*pieces, text[end:start], self._with))
            for group in groups:
                start, behind = match.span(group)
                if start < end or start == behind or (self._check and not self._check(text[start:behind])):
                    continue
                pieces += (text[end:start], self._with)
                end = behind
        return b"".join((*pieces, text[end:])) if pieces else text


class Redact:
    """Replaces what ``kinds`` match, in lines and in fields, names and numbers included.

    One search for all kinds decides whether a text needs work: most do not. With ``secret_names``, the value of a field
    that has such a name is replaced by that text altogether.
    """

    name = "redact"

    def __init__(self, patterns: Sequence[str], kinds: Sequence[_Kind], secret: str | None) -> None:
        self._finds = any_of(patterns)
        self._kinds = kinds
        self._secret = secret
        self._finds_secret_name = finder(TELLING_NAME)

    def shape(self, record: Record) -> None:
        """Redact a record."""
        if self._finds(record.line):
            record.line = self._redacted(record.line)
        if record.fields:
            record.fields = self._redacted_members(record.fields)

    def _redacted(self, text: bytes) -> bytes:
        for kind in self._kinds:
            text = kind.redact(text)
        return text

    def _redacted_text(self, text: str) -> str:
        encoded = text.encode(errors="replace")
        return self._redacted(encoded).decode(errors="replace") if self._finds(encoded) else text

    def _redacted_members(self, members: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for name, value in members.items():
            is_secret = self._secret is not None and not isinstance(value, bool | None | dict | list)
            if is_secret and value != "" and self._finds_secret_name(name.encode(errors="replace")):
                value = self._secret  # noqa: PLW2901
            made[self._redacted_text(name)] = self._redacted_value(value)
        return made

    def _redacted_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._redacted_text(value)
        if isinstance(value, dict):
            return self._redacted_members(value)
        if isinstance(value, list):
            return [self._redacted_value(member) for member in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            text = repr(value)
            redacted = self._redacted_text(text)
            return value if redacted == text else redacted
        return value


class PrivateKeys:
    """Replaces the lines of private keys that come line by line, from BEGIN to END, of each stream apart.

    It gives up after 400 lines, which no key has, or when nothing has come for seconds. ``before`` are the stages that
    records come from.
    """

    dropped: Mapping[Reason, int] = NOTHING_DROPPED

    def __init__(self, replacement: bytes, before: Sequence[Holder] = ()) -> None:
        self._with = replacement
        self.released_from: int | None = None
        self._before = before
        self._lines: dict[str, int] = {}
        self._held: dict[str, int] = {}
        self._since: float | None = None

    @property
    def held_from(self) -> int | None:
        """The offset of the first line of a key that goes on."""
        return min(self._held.values(), default=None)

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return it, redacted if it is of a key."""
        source, line = record.source, record.line
        self.released_from = self.held_from
        if source not in self._lines:
            begin = _BEGIN.search(line)
            if begin is not None and not _END.search(line[begin.span()[1] :]):
                self._lines[source] = 0
                self._held[source] = held_since(record, self._before)
                self._since = None
                record.line = line[: begin.span()[0]] + self._with
            return (record,)
        self._since = None
        self._lines[source] += 1
        end = _END.search(line)
        record.line = self._with if end is None else self._with + line[end.span()[1] :]
        if end is not None or self._lines[source] == _LONGEST_KEY:
            self._forget(source)
        return (record,)

    def flush(self, now: float) -> Sequence[Record]:
        """Return nothing; forget the keys of which nothing more has come."""
        self.released_from = self.held_from
        if self._lines:
            if self._since is None:
                self._since = now
            if now == math.inf or now >= self._since + _KEY_PATIENCE:
                self._lines.clear()
                self._held.clear()
        return ()

    def _forget(self, source: str) -> None:
        del self._lines[source], self._held[source]


_BEGIN = compile_bytes(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_END = compile_bytes(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")


def make_redact(options: TransformOptions) -> Redact | None:
    """Make the stage that the options ask for, None if none is."""
    names = [name for name in KINDS if name in options.redact]
    patterns = [KINDS[name].pattern for name in names]
    kinds = [_Kind(KINDS[name].pattern, _replacement(options, name), KINDS[name].check) for name in names]
    given = {"pattern": options.redact_pattern} if options.redact_pattern else {}
    for name, pattern in {**given, **options.redact_pattern_more}.items():
        patterns.append(pattern)
        kinds.append(_Kind(pattern, _replacement(options, name), is_foreign=True))
    if not kinds:
        return None
    secret = _replacement(options, "password").decode() if "password" in names else None
    return Redact(patterns, kinds, secret)


def make_private_keys(options: TransformOptions, before: Sequence[Holder]) -> PrivateKeys | None:
    """Make the stage for private keys of several lines, None if they are not to be redacted."""
    if "private-key" not in options.redact:
        return None
    return PrivateKeys(_replacement(options, "private-key"), before)


def _replacement(options: TransformOptions, name: str) -> bytes:
    return options.redact_with.replace("{name}", name).encode(errors="replace")
