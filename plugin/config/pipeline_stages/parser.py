"""Pipeline stages in YAML, as Promtail has them: each is checked, and what is not supported is refused by its name."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from plugin.config import parsing
from plugin.config.files import read_file
from plugin.config.parsing import hint, quote
from plugin.config.pipeline_stages.model import (
    Block,
    Cri,
    Docker,
    Drop,
    Json,
    Labels,
    Logfmt,
    Match,
    Names,
    Output,
    PipelineStages,
    Regex,
    Replace,
    Rewrite,
    Stage,
    StaticLabels,
    StructuredMetadata,
    Tenant,
    Timestamp,
)
from plugin.config.pipeline_stages.paths import parse_path
from plugin.config.pipeline_stages.selectors import parse_selector
from plugin.config.yaml_text import YamlError, read_yaml
from plugin.docker.attributes import compile_pattern
from plugin.gotemplate import Template, TemplateError, compile_template
from plugin.gotemplate.promtail import PROMTAIL_FUNCTIONS
from plugin.gotemplate.values import STRING_MAP

LARGEST = 64 * 1024
"""How many characters of YAML are read."""

_MOST_STAGES = 200
_DEEPEST = 8
_KEY = "pipeline_stages"

_INSTEAD = {
    "metrics": "count in Loki: LogQL, or a recording rule",
    "labeldrop": "do not make the label, or give loki-relabel-config the action labeldrop",
    "labelallow": "do not make the other labels, or give loki-relabel-config the action labelkeep",
    "sampling": "give log-opt sample",
    "limit": "give log-opt rate-limit",
    "pack": "keep labels with structured_metadata",
    "decolorize": r"give replace the expression '(\x1b\[[0-9;]*m)'",
    "geoip": "look addresses up where logs are queried",
    "eventlogmessage": "it is for the event log of Windows",
    "non_indexed_labels": "it is called structured_metadata now",
}

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_BYTES = re.compile(r"([0-9]{1,15}) ?([kmgt]?)i?b?", re.ASCII | re.IGNORECASE)
_EXPONENTS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_MOST_WAIT = 3600.0


def read_stages(path: str) -> PipelineStages:
    """Read a file of stages: a list, or one under ``pipeline_stages``. Raises ``ValueError`` for what is wrong."""
    return parse_stages(read_file(path, LARGEST).decode(errors="replace"))


def parse_stages(text: str) -> PipelineStages:
    """Read stages; raises ``ValueError`` with a message that says which stage is wrong, and what to do."""
    if len(text) > LARGEST:
        raise ValueError(f"it is longer than {LARGEST // 1024} KiB")
    document = _read_yaml(text)
    if isinstance(document, dict) and set(document) == {_KEY}:
        document = document[_KEY]
    if document in (None, ""):
        return PipelineStages(text, ())
    return PipelineStages(text, _Parser().stages(document, ""))


def _read_yaml(text: str) -> Any:
    try:
        return read_yaml(text)
    except YamlError as error:
        raise ValueError(str(error)) from None


class _Parser:
    """Reads one document; aliases of YAML can name a stage again and again, so that the number is bounded."""

    def __init__(self) -> None:
        self._count = 0

    def stages(self, document: Any, place: str) -> tuple[Stage, ...]:
        if not isinstance(document, list):
            raise ValueError(  # noqa: TRY004
                f"{place or 'it'} is not a list of stages (example: [{{json: {{expressions: {{level: }}}}}}])"
            )
        if place.count(".") >= _DEEPEST:
            raise ValueError(f"stages are nested deeper than {_DEEPEST}")
        made = []
        for number, item in enumerate(document, 1):
            self._count += 1
            if self._count > _MOST_STAGES:
                raise ValueError(f"there are more than {_MOST_STAGES} stages")
            where = f"{place}{number}"
            if not isinstance(item, dict) or len(item) != 1:
                raise ValueError(f"stage {where} is not a mapping with one name (write: - NAME: …)")
            (name, config) = next(iter(item.items()))
            try:
                made.append(self._stage(str(name), config, where))
            except _NestedError:
                raise
            except (ValueError, TemplateError) as error:
                raise _NestedError(f"stage {where} ({parsing.printable(str(name)[:50])}): {error}") from None
        return tuple(made)

    def _stage(self, name: str, config: Any, where: str) -> Stage:
        if name in _INSTEAD:
            raise ValueError(f"it is not supported: {_INSTEAD[name]}")
        if name not in _FIELDS:
            raise ValueError(f"there is no such stage{hint(name, tuple(_FIELDS))}, known are {', '.join(_FIELDS)}")
        if name in _NAMES_ONLY:
            return _NAMES_ONLY[name](_names(config))
        fields = _Fields(config, _FIELDS[name])
        if name == "match":
            return self._match(fields, where)
        return _MAKERS[name](fields)

    def _match(self, fields: "_Fields", where: str) -> Match:
        action = fields.text("action") or "keep"
        if action not in ("keep", "drop"):
            raise ValueError(f"action {quote(action)} is not keep or drop")
        nested = fields.given.get("stages") or []
        if action == "drop" and nested:
            raise ValueError("stages and action: drop exclude each other")
        if action == "keep" and not nested:
            raise ValueError("stages are missing (or action: drop)")
        selector = parse_selector(fields.required("selector"))
        stages = self.stages(nested, f"{where}.") if nested else ()
        return Match(selector, stages, fields.text("drop_counter_reason") or "match_stage")


class _NestedError(ValueError):
    """A fault that says already which stage it is of."""


class _Fields:
    """What a stage is told, each field a text unless asked for otherwise."""

    def __init__(self, config: Any, known: tuple[str, ...]) -> None:
        if config in (None, ""):
            config = {}
        if not isinstance(config, dict):
            raise ValueError("it is not a mapping of fields" + (f" ({', '.join(known)})" if known else " (write {})"))  # noqa: TRY004
        for name in config:
            if name not in known:
                expected = f", known are {', '.join(known)}" if known else ""
                raise ValueError(f"unknown field {quote(str(name))}{hint(str(name), known)}{expected}")
        self.given: Mapping[str, Any] = config

    def text(self, name: str) -> str:
        value = self.given.get(name, "")
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a text")  # noqa: TRY004
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise ValueError(f"{name} is missing")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.given.get(name, [])
        if isinstance(value, str):
            value = [value] if value else []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValueError(f"{name} must be a text or a list of texts")
        return tuple(value)

    def pattern(self, name: str) -> str:
        value = self.required(name)
        compile_pattern(value)
        return value

    def template(self, name: str) -> Template:
        return compile_template(self.text(name), STRING_MAP, PROMTAIL_FUNCTIONS)

    def boolean(self, name: str) -> bool:
        value = self.text(name).lower()
        if value not in ("", "true", "false"):
            raise ValueError(f"{name} must be true or false")
        return value == "true"

    def number(self, name: str, default: int, most: int) -> int:
        value = self.text(name)
        return parsing.parse_int(value, 0, most) if value else default

    def size(self, name: str) -> int | None:
        value = self.text(name).strip()
        if not value:
            return None
        found = _BYTES.fullmatch(value)
        if found is None:
            raise ValueError(f"{name} {quote(value)} is not a size (examples: 8192, 8kb)")
        return int(found[1]) << 10 * _EXPONENTS[found[2].lower()]

    def seconds(self, name: str) -> float | None:
        value = self.text(name)
        return parsing.parse_duration(value) if value else None


def _names(config: Any) -> Names:
    """Read names of labels, each with what it is made of."""
    if not isinstance(config, dict) or not config:
        raise ValueError("it names no label (write: NAME: SOURCE)")
    for name, source in config.items():
        if not _LABEL.fullmatch(str(name)):
            raise ValueError(f"{quote(str(name))} is not a name of a label (letters, digits and _, no digit first)")
        if not isinstance(source, str):
            raise ValueError(f"what {name} is made of must be a text")  # noqa: TRY004
    return tuple(config.items())


def _from(names: Names) -> Names:
    """Return names with what each is made of, which is its own name where nothing is said."""
    return tuple((name, source or name) for name, source in names)


def _mapping(fields: _Fields, name: str) -> Names:
    given = fields.given.get(name) or {}
    if not isinstance(given, dict) or not all(isinstance(source, str) for source in given.values()):
        raise ValueError(f"{name} must be a mapping of texts")
    if not given:
        raise ValueError(f"{name} is missing")
    return _from(tuple(given.items()))


def _json(fields: _Fields) -> Json:
    expressions = tuple((name, _path(source, name)) for name, source in _mapping(fields, "expressions"))
    return Json(expressions, fields.text("source"), fields.boolean("drop_malformed"))


def _path(text: str, name: str) -> Any:
    try:
        return parse_path(text)
    except ValueError as error:
        raise ValueError(f"{quote(name)}: {error}") from None


def _timestamp(fields: _Fields) -> Timestamp:
    location = fields.text("location")
    if location and location not in ("UTC", "Local"):
        try:
            ZoneInfo(location)
        except (ValueError, OSError, KeyError):
            raise ValueError(f"location {quote(location)} is not a time zone (example: Europe/Berlin)") from None
    action = fields.text("action_on_failure") or "fudge"
    if action not in ("fudge", "skip"):
        raise ValueError(f"action_on_failure {quote(action)} is not skip or fudge")
    formats = (fields.required("format"), *fields.texts("fallback_formats"))
    zone = "" if location in ("UTC", "Local") else location
    return Timestamp(fields.required("source"), formats, zone, action == "fudge")


def _tenant(fields: _Fields) -> Tenant:
    made = Tenant(fields.text("label"), fields.text("source"), fields.text("value"))
    if sum(bool(one) for one in (made.label, made.source, made.value)) != 1:
        raise ValueError("it needs one of label, source and value")
    if made.value and not is_tenant(made.value):
        raise ValueError(f"{quote(made.value)} is not a tenant (printable ASCII, up to 150 characters)")
    return made


_LONGEST_TENANT = 150


def is_tenant(text: str) -> bool:
    """Return whether a text can be sent as a tenant: Loki takes up to 150 bytes."""
    return 0 < len(text) <= _LONGEST_TENANT and text.isascii() and text.isprintable()


def _drop(fields: _Fields) -> Drop:
    source = fields.texts("source")
    expression = fields.pattern("expression") if fields.text("expression") else None
    value = fields.text("value") if "value" in fields.given else None
    older = fields.seconds("older_than")
    longer = fields.size("longer_than")
    if not source and expression is None and older is None and longer is None:
        raise ValueError("it needs at least one of source, expression, older_than and longer_than")
    if value is not None and not source:
        raise ValueError("value needs source")
    if value is not None and expression is not None:
        raise ValueError("value and expression exclude each other")
    return Drop(
        source=source,
        separator=fields.text("separator") if "separator" in fields.given else ";",
        expression=expression,
        value=value,
        older_than=None if older is None else int(older * 1e9),
        longer_than=longer,
        reason=fields.text("drop_counter_reason") or "drop_stage",
    )


def _block(fields: _Fields) -> Block:
    wait = fields.seconds("max_wait_time")
    wait = 3.0 if wait is None else wait
    if not 0 < wait <= _MOST_WAIT:
        raise ValueError("max_wait_time must be above 0, and at most 1h")
    lines = fields.number("max_lines", 128, 100_000)
    if lines == 0:
        raise ValueError("max_lines must be above 0")
    return Block(fields.pattern("firstline"), wait, lines)


def _cri(fields: _Fields) -> Cri:
    truncates = fields.boolean("max_partial_line_size_truncate")
    longest = fields.size("max_partial_line_size") or 0
    return Cri(fields.number("max_partial_lines", 100, 10_000) or 100, longest if truncates else 0)


_FIELDS: Mapping[str, tuple[str, ...]] = {
    "docker": (),
    "cri": ("max_partial_lines", "max_partial_line_size", "max_partial_line_size_truncate"),
    "json": ("expressions", "source", "drop_malformed"),
    "logfmt": ("mapping", "source"),
    "regex": ("expression", "source"),
    "labels": (),
    "structured_metadata": (),
    "static_labels": (),
    "timestamp": ("source", "format", "fallback_formats", "location", "action_on_failure"),
    "output": ("source",),
    "template": ("source", "template"),
    "match": ("selector", "pipeline_name", "action", "drop_counter_reason", "stages"),
    "drop": ("source", "separator", "expression", "value", "older_than", "longer_than", "drop_counter_reason"),
    "replace": ("expression", "source", "replace"),
    "multiline": ("firstline", "max_wait_time", "max_lines"),
    "tenant": ("label", "source", "value"),
}
_NAMES_ONLY: Mapping[str, Callable[[Names], Stage]] = {
    "labels": lambda names: Labels(_from(names)),
    "structured_metadata": lambda names: StructuredMetadata(_from(names)),
    "static_labels": StaticLabels,
}
_MAKERS: Mapping[str, Callable[[_Fields], Stage]] = {
    "docker": lambda _: Docker(),
    "cri": _cri,
    "json": _json,
    "logfmt": lambda fields: Logfmt(_mapping(fields, "mapping"), fields.text("source")),
    "regex": lambda fields: Regex(fields.pattern("expression"), fields.text("source")),
    "replace": lambda fields: Replace(fields.pattern("expression"), fields.text("source"), fields.template("replace")),
    "template": lambda fields: Rewrite(fields.required("source"), fields.template("template")),
    "timestamp": _timestamp,
    "output": lambda fields: Output(fields.required("source")),
    "tenant": _tenant,
    "drop": _drop,
    "multiline": _block,
}
