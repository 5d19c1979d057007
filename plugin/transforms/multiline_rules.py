"""Rules that say which lines are one event: those of stack traces by language, and those of a pattern.

A state is a tuple of numbers, empty where a line is of no event. Java, Python, Go and Ruby begin and go on as in Fluent
Bit's built-in parsers (``src/multiline/flb_ml_parser_*.c``), with the states of the exception detector of
fluent-plugin-detect-exceptions, from which these come; beyond both, chained exceptions and what newer runtimes print
are joined as well.

Also runs compiled (see ``multiline_rules.pxd``).
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from plugin.transforms.line_search import LineSearch
from plugin.transforms.patterns import Finds, finder

State = tuple[int, ...]

NONE: State = ()
ENDS: State = (-1,)
"""The state behind a line that is the last one of its event."""

_OPEN: State = (1,)


class Rules(Protocol):
    """Which lines are one event."""

    def beginnings(self, lines: list[bytes]) -> Sequence[int]:
        """Return the numbers of the lines that begin an event, in order, and maybe of others."""

    def begin(self, line: bytes) -> State:
        """Return the state behind a line that begins an event, empty if it does not."""

    def follow(self, state: State, line: bytes) -> State:
        """Return the state behind a further line, empty if it is not of the event any more."""

    def is_tentative(self, state: State) -> bool:
        """Return whether the lines that led here are only of the event if another one follows."""


class PatternRules:
    """Lines that match a pattern do what ``mode`` says; ``start`` is found in lines that begin an event of several.

    The mode ``start`` is that of Docker's awslogs driver; the others are those of Vector (``src/line_agg.rs``).
    """

    def __init__(self, pattern: str, mode: str, start: str | None) -> None:
        self._finds = finder(pattern)
        self._continues = mode in ("continue_through", "continue_past")
        self._includes_last = mode in ("halt_with", "continue_past")
        if start is None and mode == "continue_past":
            start = pattern
        self._starts: Finds | None = None if start is None else finder(start)
        self._search = None if start is None else LineSearch([start])
        self._ends_at_once = self._finds if mode == "halt_with" and start is None else None

    def beginnings(self, lines: list[bytes]) -> Sequence[int]:
        """Return the numbers of the lines that begin an event, in order."""
        return range(len(lines)) if self._search is None else self._search.found(lines)

    def begin(self, line: bytes) -> State:
        """Return the state behind a line that begins an event, empty if it does not."""
        if self._ends_at_once is not None and self._ends_at_once(line):
            return ENDS
        return _OPEN if self._starts is None or self._starts(line) else NONE

    def follow(self, state: State, line: bytes) -> State:  # noqa: ARG002 (there is one)
        """Return the state behind a further line, empty if it is not of the event any more."""
        if self._finds(line) == self._continues:
            return _OPEN
        return ENDS if self._includes_last else NONE

    def is_tentative(self, state: State) -> bool:  # noqa: ARG002
        """Return false: a line is of the event or it is not."""
        return False


_Table = Mapping[str, Sequence[tuple[str, str]]]
"""By state, the patterns of lines that may follow and the states behind these, empty for a line that may not.

The first that fits counts. A state that ends in ``?`` is tentative: its lines belong to the trace only if it goes on.
"""

_JAVA_START = r".(?:Exception|Error|Throwable|V8 errors stack trace)(?:[:\r\n]|$)"
_FRAME = r"^[\t ]+(?:eval )?at "

_JAVA: _Table = {
    "start": [(_JAVA_START, "after")],
    "after": [
        (r"^[\t ]*nested exception is:[\t ]*", "nested"),
        (r"^[\r\n]*$", "blank?"),
        (_FRAME, "frames"),
        (r"^[\t ]+--- End of inner exception stack trace ---$", "frames"),
        (r"^--- End of stack trace from previous location where exception was thrown ---$", "frames"),
        (r"^[\t ]*(?:Caused by|Suppressed): ", "after"),
        (r"^[\t ]*\.\.\. \d+ (?:more|common frames omitted)", "frames"),
        (_JAVA_START, ""),
        (r"^\S", "message?"),  # of an exception whose message has several lines
    ],
    "message?": [
        (_FRAME, "frames"),
        (_JAVA_START, ""),
        (r"^\S", "message 2?"),
    ],
    "message 2?": [(_FRAME, "frames")],
    "blank?": [
        (r"^[\r\n]*$", "blank?"),
        (_FRAME, "frames"),
        (r"^[\t ]*(?:Caused by|Suppressed): ", "after"),
    ],
    "nested": [(_JAVA_START, "after")],
    "frames": [
        (_FRAME, "frames"),
        (r"^[\t ]+--- End of inner exception stack trace ---$", "frames"),
        (r"^--- End of stack trace from previous location where exception was thrown ---$", "frames"),
        (r"^[\t ]*(?:Caused by|Suppressed): ", "after"),
        (r"^[\t ]*\.\.\. \d+ (?:more|common frames omitted)", "frames"),
        (r"^[\t ]*\[CIRCULAR REFERENCE: ?", "frames"),
    ],
}

_PYTHON: _Table = {
    "start": [
        (r"^Traceback \(most recent call last\):$", "frames"),
        (r"^  \+ Exception Group Traceback \(most recent call last\):$", "group"),
    ],
    "frames": [
        (r"^[\t ]+\S", "frames"),
        (r"^(?:[^\s.():]+\.)*[^\s.():]+(?::|$)", "after"),
    ],
    "after": [(r"^$", "blank?")],
    "blank?": [
        (r"^During handling of the above exception, another exception occurred:$", "chained"),
        (r"^The above exception was the direct cause of the following exception:$", "chained"),
    ],
    "chained": [
        (r"^$", "chained"),
        (r"^Traceback \(most recent call last\):$", "frames"),
        (r"^  \+ Exception Group Traceback \(most recent call last\):$", "group"),
    ],
    "group": [(r"^ +[|+]", "group")],
}

_GO: _Table = {
    "start": [
        (r"\bpanic: ", "panic"),
        (r"^fatal error: ", "panic"),
        (r"^runtime: goroutine stack exceeds ", "panic"),
        (r"^SIGQUIT: quit$", "panic"),
        (r"http: panic serving", "goroutine"),
        (r"^\S+\t(?:\x1b\[\d+m)?(?:WARN|ERROR|DPANIC|PANIC|FATAL)(?:\x1b\[0m)?\t", "logged"),
    ],
    "logged": [(r"^\S+$", "function?")],  # Zap's lines for people, with a stack trace behind them
    "function?": [(r"^\t\S+:\d+$", "logged")],
    "panic": [
        (r"^\t*panic: |^\t+\[recovered\]|^fatal error: |^PC=", "panic"),
        (r"^\[signal ", "panic"),
        (r"^$", "goroutine?"),
        (r"^goroutine \d+ [^\[]*\[[^\]]+\]:$", "frames"),
        (r"^runtime stack:$", "frames"),
        (r"^\t", "panic"),
    ],
    "goroutine": [(r"^goroutine \d+ [^\[]*\[[^\]]+\]:$", "frames")],
    "goroutine?": [
        (r"^goroutine \d+ [^\[]*\[[^\]]+\]:$", "frames"),
        (r"^runtime stack:$", "frames"),
    ],
    "frames": [
        (r"^\S.*\(.*\)$|^created by |^\.\.\.", "frames"),
        (r"^\s+\S", "frames"),
        (r"^panic\(", "frames"),
        (r"^$", "goroutine?"),
    ],
}

_RUBY: _Table = {
    "start": [(r"^.+:\d+:in\s+.*", "frames")],
    "frames": [(r"^\s+from\s+.*:\d+:in\s+.*", "frames"), (r"^\s+\.\.\. \d+ levels\.\.\.$", "frames")],
}

_DOTNET_START = (
    r"^(?:Unhandled [Ee]xception[.:] |\[ERROR\] FATAL UNHANDLED EXCEPTION: )?(?:[\w`+]+\.)+[\w`+]*Exception(?::| \(|$)"
)

_DOTNET: _Table = {
    "start": [
        (_DOTNET_START, "frames"),
        (r"^Unhandled Exception:$", "header?"),
        (r"^(?:trce|dbug|info|warn|fail|crit): \S.*\[\d+\]$", "logger"),
    ],
    "header?": [(_DOTNET_START, "frames")],
    "frames": [
        (r"^\s+at ", "frames"),
        (r"^\s*--->", "frames"),
        (r"^\s*--- End of ", "frames"),
        (r"^$", "blank?"),
    ],
    "blank?": [(r"^\(Inner Exception #\d+\) ", "frames"), (r"^ ?---> \(Inner Exception #\d+\) ", "frames")],
    "logger": [(r"^ {6}", "logger")],
}

_PHP: _Table = {
    "start": [
        (
            r"^(?:\[[^\]]+\] )?(?:PHP )?(?:(?:Fatal|Parse|Recoverable fatal) error|Warning|Notice|Deprecated): ",
            "after",
        ),
        (r"^(?:[\w\\]+\\)?\w*(?:Exception|Error): .* in \S+:\d+$", "after"),
        (r"^(?:[\w\\]+\\)?\w*(?:Exception|Error): ", "message?"),  # that has several lines
    ],
    "message?": [(r" in \S+:\d+$", "located?"), (r"\S", "message 2?")],
    "message 2?": [(r" in \S+:\d+$", "located?")],
    "located?": [(r"^Stack trace:$", "frames")],
    "after": [
        (r"^(?:\[[^\]]+\] )?(?:PHP )?Stack trace:$", "frames"),
    ],
    "frames": [
        (r"^(?:\[[^\]]+\] )?(?:PHP )?\s*(?:#\d+|\d+\.) ", "frames"),
        (r"^  thrown in ", "frames"),
        (r"^Next \S+: ", "after"),
        (r"^$", "blank?"),
    ],
    "blank?": [(r"^Next \S+: ", "after")],
}

_JS: _Table = {
    "start": [
        (r"^(?:Uncaught |\[?[\w ]*\]?: )?[\w$.]*(?:Error|Exception)(?: \[[A-Z_0-9]+\])?(?::|$)", "frames"),
        (r"^(?:file://)?\S*[\w)]:\d+$", "source?"),
    ],
    "source?": [(r"^\s*\^+\s*$", "pointed?"), (r"\S", "source2?")],
    "source2?": [(r"^\s*\^+\s*$", "pointed?")],
    "pointed?": [
        (r"^$", "pointed?"),
        (r"^(?:Uncaught )?[\w$.]*(?:Error|Exception)(?: \[[A-Z_0-9]+\])?(?::|$)", "frames"),
    ],
    "frames": [
        (r"^\s+\S", "frames"),
        (r"^\}$", "frames"),
        (r"^$", "blank?"),
    ],
    "blank?": [(r"^$", "blank?"), (r"^Node\.js v\d", "end")],
    "end": [],
}

_RUST: _Table = {
    "start": [
        (r"^(?:thread '.*'(?: \(\d+\))? )panicked at .*:$", "message"),
        (r"^(?:thread '.*'(?: \(\d+\))? )panicked at ", "after"),
    ],
    "message": [(r"", "after")],
    "after": [(r"^stack backtrace:$|^note: |^\s+\d+: |^\s+at ", "after")],
}

_POSTGRES_FIELD = r"(?:^|[^A-Za-z])(?:DETAIL|HINT|QUERY|CONTEXT|LOCATION|STATEMENT|BACKTRACE):  \S"
_POSTGRES: _Table = {
    "start": [(r"(?:^|[^A-Za-z])(?:DEBUG[1-5]?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC):  \S", "message")],
    "message": [(r"^\t", "message"), (_POSTGRES_FIELD, "message")],
}

TABLES: Mapping[str, _Table] = {
    "java": _JAVA,
    "python": _PYTHON,
    "go": _GO,
    "ruby": _RUBY,
    "dotnet": _DOTNET,
    "php": _PHP,
    "js": _JS,
    "rust": _RUST,
    "postgres": _POSTGRES,
}


class LanguageRules:
    """The stack traces of several languages: as long as a line goes on with the trace of one of them, it is joined.

    PostgreSQL counts as a language here; its traces are messages with their details.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._starts: list[tuple[Finds, int]] = []
        self._follow: dict[int, list[tuple[Finds, int]]] = {}
        self._tentative: set[int] = set()
        texts: list[str] = []
        number = 0
        for language in languages:
            table = TABLES[language]
            numbers = {}
            for name in table:
                numbers[name] = number = number + 1
                if name.endswith("?"):
                    self._tentative.add(number)
            for name, rules in table.items():
                compiled: list[tuple[Finds, int]] = [(finder(text), numbers.get(after, 0)) for text, after in rules]
                if name == "start":
                    self._starts += compiled
                    texts += [text for text, _ in rules]
                else:
                    self._follow[numbers[name]] = compiled
        self._search = LineSearch(texts)

    def beginnings(self, lines: list[bytes]) -> Sequence[int]:
        """Return the numbers of the lines that begin a trace, in order."""
        return self._search.found(lines)

    def begin(self, line: bytes) -> State:
        """Return the state behind a line that begins a trace, empty if it does not."""
        if not self._search.is_in(line):
            return NONE
        return tuple(dict.fromkeys(after for finds, after in self._starts if finds(line)))

    def follow(self, state: State, line: bytes) -> State:
        """Return the state behind a further line, empty if it is not of the trace any more."""
        found = [next((after for finds, after in self._follow[one] if finds(line)), 0) for one in state]
        return tuple(dict.fromkeys(after for after in found if after))

    def is_tentative(self, state: State) -> bool:
        """Return whether the lines that led here are only of the trace if another one follows."""
        return self._tentative.issuperset(state)
