"""Stages that drop records, and the conditions under which others run."""

from collections.abc import Callable

import re2

from plugin.config.pipeline_stages.model import Condition, Drop
from plugin.transforms.patterns import Finds, finder
from plugin.transforms.pipeline_stages.entry import Entry, encoded

_QUIET = re2.Options()
_QUIET.log_errors = False


class DropStep:
    """Drops a record that fulfils all conditions.

    Its age is that which its time had when it was printed: what waits for a destination does not grow older.
    """

    def __init__(self, stage: Drop) -> None:
        self._stage = stage
        self._finds: Finds | None = None
        if stage.value is not None:
            self._finds = encoded(stage.value).__eq__
        elif stage.expression is not None:
            self._finds = finder(stage.expression)

    def __call__(self, entry: Entry) -> str | None:
        """Return why the record is dropped."""
        stage = self._stage
        if stage.longer_than is not None and len(entry.record.line) <= stage.longer_than:
            return None
        if stage.older_than is not None and entry.record.time_nano >= entry.printed - stage.older_than:
            return None
        if self._finds is None:
            return stage.reason if all(name in entry.extracted for name in stage.source) else None
        if not stage.source:
            return stage.reason if self._finds(entry.record.line) else None
        texts = []
        for name in stage.source:
            if name in entry.extracted:
                text = entry.text(name)
                if text is None:
                    return None
                texts.append(text)
        return stage.reason if self._finds(encoded(stage.separator.join(texts))) else None


class Selector:
    """Whether a record fulfils all conditions of a selector."""

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        self._labels = [(one, _full_match(one.value) if "~" in one.kind else None) for one in conditions if one.name]
        self._lines = [_line_filter(one) for one in conditions if not one.name]

    def __call__(self, entry: Entry) -> bool:
        """Return whether it does."""
        for condition, matches in self._labels:
            value = entry.labels.get(condition.name, "")
            fits = value == condition.value if matches is None else matches(value)
            if fits == (condition.kind in ("!=", "!~")):
                return False
        return all(finds(entry.record.line) == wanted for finds, wanted in self._lines)


def _full_match(pattern: str) -> Callable[[str], bool]:
    compiled = re2.compile(f"(?s:{pattern})", _QUIET)
    return lambda value: compiled.fullmatch(encoded(value)) is not None


def _line_filter(condition: Condition) -> tuple[Finds, bool]:
    """Return what looks for it in a line, and whether it has to be found."""
    if "~" in condition.kind:
        return finder(condition.value), condition.kind == "|~"
    part = encoded(condition.value)
    return lambda line: part in line, condition.kind == "|="
