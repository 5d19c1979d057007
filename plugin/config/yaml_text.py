"""Reading YAML that others wrote: bounded before it is understood, so that no text takes long or nests too deeply."""

from collections.abc import Iterator
from typing import Any

DEEPEST = 32
"""How deeply lists and mappings may be nested."""

MOST_VALUES = 10_000
"""How many values a text may have: names, texts, lists and mappings."""

_INCOMPLETE = object()


class YamlError(ValueError):
    """A text is not YAML, or more than is read; the message is about "it", the text.

    ``problem`` is what the text is ("not YAML: …"), and ``line`` where, from 1.
    """

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(f"it is {problem} in line {line}")
        self.problem = problem
        self.line = line


def read_yaml(text: str) -> Any:
    """Return what a text of YAML holds, as texts, lists and mappings; None if it is empty.

    Nothing is taken for a number, a time or a merge, and no object is made. Raises ``YamlError``.
    """
    return _Reading(text).document() if text.strip() else None  # the library need not be loaded for nothing


def check_yaml(text: str, most_values: int = MOST_VALUES) -> None:
    """Raise ``YamlError`` unless a text is one document of YAML within the bounds."""
    for _ in _events(text, most_values):
        pass


def _events(text: str, most_values: int = MOST_VALUES) -> Iterator[Any]:
    """Yield the events of a text, up to the first that is beyond the bounds."""
    import yaml  # noqa: PLC0415 (1 MB, for options that few give)

    # The pure loader takes 30 times as long, and is there where no wheel of PyYAML is.
    loader: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
    depth = values = documents = line = 0
    try:
        for event in yaml.parse(text, loader):
            mark: Any = event.start_mark
            line = mark.line + 1
            values += isinstance(event, yaml.NodeEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            documents += isinstance(event, yaml.DocumentStartEvent)
            if depth > DEEPEST:
                raise YamlError(f"nested more than {DEEPEST} deep", line)
            if values > most_values:
                raise YamlError(f"too long: more than {most_values:,} values,", line)
            if documents > 1:
                raise YamlError("not YAML: a second document", line)
            yield event
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(filter(None, (error.context, error.problem))) or "unreadable"
        last = text.count("\n") + 1  # the end is in a line of its own to libyaml
        raise YamlError(f"not YAML: {problem}", min(mark.line + 1, last) if mark else 1) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, YamlError):
            raise
        place = getattr(error, "position", None)
        near = text.count("\n", 0, place) + 1 if isinstance(place, int) else max(1, line)
        raise YamlError(f"not YAML: {(str(error).splitlines() or ['unreadable'])[0]}", near) from None


class _Reading:
    """One reading of a text, event by event."""

    def __init__(self, text: str) -> None:
        self._events = _events(text)
        self._anchors: dict[str, Any] = {}

    def document(self) -> Any:
        import yaml  # noqa: PLC0415 (as above)

        value = None
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                value = self._value(event)
        return value

    def _value(self, event: Any) -> Any:
        import yaml  # noqa: PLC0415 (as above)

        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise YamlError(f"not YAML: unknown alias {event.anchor}", line)
            if self._anchors[event.anchor] is _INCOMPLETE:
                raise YamlError(f"not as expected: recursive alias {event.anchor}", line)
            return self._anchors[event.anchor]
        if event.anchor is not None:
            if event.anchor in self._anchors:
                raise YamlError(f"not YAML: a second anchor {event.anchor}", line)
            self._anchors[event.anchor] = _INCOMPLETE
        value: Any
        if isinstance(event, yaml.SequenceStartEvent):
            value = [self._value(item) for item in self._until(yaml.SequenceEndEvent)]
        elif isinstance(event, yaml.MappingStartEvent):
            value = {}
            for item in self._until(yaml.MappingEndEvent):
                name = self._value(item)
                if not isinstance(name, str):
                    raise YamlError("not as expected: a name that is not a text", item.start_mark.line + 1)
                value[name] = self._value(next(self._events))
        else:
            value = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _until(self, end: type) -> Iterator[Any]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event
