"""Redaction: what is not for everybody is replaced, in lines and in fields.

Also runs compiled (see ``redact.pxd``).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import re2

from plugin.config.transform_options import TransformOptions
from plugin.records.record import Record
from plugin.transforms.base import NONE_DROPPED, NOTHING_DROPPED, Holder, Reason, held_since
from plugin.transforms.line_search import LineSearch
from plugin.transforms.patterns import ANYWHERE, compile_bytes, finder, most_matches, raw_match
from plugin.transforms.sensitive import KINDS, TELLING_NAME

_LONGEST_KEY = 400
_KEY_PATIENCE = 5.0
_MOST_NAMES = 10_000
_FEW = 4


class _Kind:
    """One pattern and what is put in place of what it matches.

    Those that Peavey knows take linear time to find all; ``is_foreign`` is one of which that is not certain.
    """

    __slots__ = ("_check", "_groups", "_is_foreign", "_match", "_with")

    def __init__(
        self,
        pattern: str,
        replacement: bytes,
        check: Callable[[bytes], bool] | None = None,
        *,
        is_foreign: bool = False,
    ) -> None:
        compiled = compile_bytes(pattern)
        self._match = raw_match(compiled)
        self._groups = tuple(range(1, compiled.groups + 1)) if compiled.groups else (0,)
        self._with = replacement
        self._check = check
        self._is_foreign = is_foreign

    def redact(self, text: bytes) -> bytes:
        """Replace the groups that took part in a match, or the whole match if the pattern has none.

        Where there are too many of them, all that is left of the text is replaced.
        """
        match, anywhere = self._match, ANYWHERE
        pieces: list[bytes] = []
        end = position = number = 0
        size = len(text)
        most = most_matches(text) if self._is_foreign else size + 1
        while position <= size:
            spans = match(anywhere, text, position, size)
            first, last = spans[0]
            if first < 0:
                break
            if number == most:
                return b"".join((*pieces, text[end : max(end, first)], self._with))
            number += 1
            for group in self._groups:
                start, behind = spans[group]
                if start < end or start == behind or (self._check and not self._check(text[start:behind])):
                    continue
                pieces += (text[end:start], self._with)
                end = behind
            position = last if last > position else position + 1
        return b"".join((*pieces, text[end:])) if pieces else text


class Redact:
    """Replaces what ``kinds`` match, in lines and in fields, names and numbers included.

    One search for all kinds decides whether a text needs work: most do not. ``patterns`` are those of the kinds, or
    others that are found in the same texts. With ``secret_names``, the value of a field that has such a name is
    replaced by that text altogether.
    """

    name = "redact"

    def __init__(self, patterns: Sequence[str], kinds: Sequence[_Kind], secret: str | None) -> None:
        self._search = LineSearch(patterns)
        self._kinds = tuple(kinds)
        self._set = _set_of(patterns) if len(patterns) > _FEW else None
        self._secret = secret
        self._finds_secret_name = finder(TELLING_NAME)
        self._clean_names: set[str] = set()

    def shape(self, record: Record) -> None:
        """Redact a record."""
        if self._search.is_in(record.line):
            record.line = self._redacted(record.line)
        if record.fields:
            record.fields = self._redacted_members(record.fields)

    def shape_all(self, records: list[Record]) -> Mapping[int, str]:
        """Redact records."""
        for number in self._search.found([record.line for record in records]):
            record = records[number]
            record.line = self._redacted(record.line)
        parsed = [(record, record.fields) for record in records if record.fields]
        if parsed:
            for number in self._search.found_in_any([self._text_of(fields) for _, fields in parsed]):
                record, fields = parsed[number]
                record.fields = self._redacted_members(fields)
        return NONE_DROPPED

    def _redacted(self, text: bytes) -> bytes:
        """Put a text through the kinds one after the other; those that are not found in it have nothing to do."""
        kinds = self._kinds
        first = 0
        while first < len(kinds):
            for number in self._found_in(text):
                if number >= first and (redacted := kinds[number].redact(text)) != text:
                    text = redacted
                    first = number + 1
                    break
            else:
                break
        return text

    def _found_in(self, text: bytes) -> Iterable[int]:
        """Return the numbers of the kinds that may be found in a text, in order."""
        found = None if self._set is None else self._set.Match(text)
        return sorted(found) if found else range(len(self._kinds))

    def _text_of(self, members: dict[str, Any]) -> bytes | None:
        """Return all that may have to be redacted of fields, one under the other; None if something has to be."""
        parts: list[str] = []
        if not self._gather(members, parts):
            return None
        if not parts:
            return b""
        text = "\n".join(parts)
        return text.encode(errors="replace") if text.count("\n") == len(parts) - 1 else None

    def _gather(self, value: Any, parts: list[str]) -> bool:
        """Add to ``parts`` what has to be searched in a value; return whether the rest is clean."""
        if isinstance(value, dict):
            for name, member in value.items():
                if name not in self._clean_names and not self._is_clean(name):
                    return False
                if type(member) is str:
                    parts.append(member)
                elif not self._gather(member, parts):
                    return False
        elif isinstance(value, list):
            for member in value:
                if not self._gather(member, parts):
                    return False
        elif isinstance(value, str):
            parts.append(value)
        elif value is not None and value is not True and value is not False:
            parts.append(repr(value))
        return True

    def _is_clean(self, name: str) -> bool:
        """Return whether a name neither is to be redacted nor tells that its value is; remember it if so."""
        encoded = name.encode(errors="replace")
        if self._search.is_in(encoded) or (self._secret is not None and self._finds_secret_name(encoded)):
            return False
        if len(self._clean_names) < _MOST_NAMES:
            self._clean_names.add(name)
        return True

    def _redacted_text(self, text: str) -> str:
        encoded = text.encode(errors="replace")
        return self._redacted(encoded).decode(errors="replace") if self._search.is_in(encoded) else text

    def _redacted_members(self, members: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for name, value in members.items():
            if name in self._clean_names or self._is_clean(name):
                made[name] = self._redacted_value(value)
                continue
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


def _set_of(patterns: Sequence[str]) -> Any:
    """Return the set that says which of some patterns are found in a text; None if it would be too large.

    In a text that takes it too much memory, it finds nothing.
    """
    options = re2.Options()
    options.log_errors = False
    made = re2.Set.SearchSet(options)
    for pattern in patterns:
        made.Add(pattern)
    try:
        made.Compile()
    except re2.error:
        return None
    return made


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

    def stirs(self, records: Sequence[Record]) -> Sequence[int]:
        """Return the numbers of the records with which a key begins."""
        return _SEARCH.found([record.line for record in records])

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return it, redacted if it is of a key."""
        source, line = record.source, record.line
        self.released_from = self.held_from if self._held else None
        if source not in self._lines:
            begin = _BEGIN.search(line) if _SEARCH.is_in(line) else None
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


_BEGINS = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_BEGIN = compile_bytes(_BEGINS)
_SEARCH = LineSearch([_BEGINS])
_END = compile_bytes(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")


def make_redact(options: TransformOptions) -> Redact | None:
    """Make the stage that the options ask for, None if none is."""
    names = [name for name in KINDS if name in options.redact]
    patterns = [KINDS[name].sign or KINDS[name].pattern for name in names]
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
