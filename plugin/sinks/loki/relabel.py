"""Relabelling as in Prometheus: rules in YAML that change the labels of a container once, when its logging begins.

Source: ``model/relabel/relabel.go`` in prometheus/prometheus, with any non-empty text as the name of a label, as
Grafana's driver has it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import re2

from plugin.config.parsing import hint, quote
from plugin.config.yaml_text import YamlError, read_yaml

Labels = dict[str, str]

_ACTIONS = (
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
)
_WITH_TARGET = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")
_ONLY_REGEX = ("labeldrop", "labelkeep")
_FIELDS = ("source_labels", "separator", "regex", "modulus", "target_label", "replacement", "action")
_DEFAULTS = {
    "separator": ";",
    "regex": "(.*)",
    "modulus": "0",
    "target_label": "",
    "replacement": "$1",
    "action": "replace",
}
_TENANT = "__tenant_id__"

_QUIET = re2.Options()
_QUIET.log_errors = False

# Go's Regexp.Expand: $name and $1 take as many letters, digits and underscores as there are, $$ is a dollar.
_REFERENCE = re.compile(r"\$(?:(\$)|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})", re.ASCII)


class _Match(Protocol):
    def group(self, number: int) -> str | None: ...


class _Regex(Protocol):
    groupindex: Mapping[str, int]
    groups: int

    def fullmatch(self, text: str) -> _Match | None: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; the fields are those of Prometheus."""

    source_labels: tuple[str, ...]
    separator: str
    regex: _Regex
    modulus: int
    target_label: str
    replacement: str
    action: str

    def apply(self, labels: Labels) -> Labels | None:
        """Return the labels that the rule makes of others, None if it drops the container."""
        value = self.separator.join(labels.get(name, "") for name in self.source_labels)
        match self.action:
            case "keep" | "drop":
                return labels if (self.regex.fullmatch(value) is not None) == (self.action == "keep") else None
            case "keepequal" | "dropequal":
                return labels if (labels.get(self.target_label, "") == value) == (self.action == "keepequal") else None
            case "labelmap":
                return labels | dict(self._mapped(labels))
            case "labeldrop" | "labelkeep":
                keeps = self.action == "labelkeep"
                return {name: text for name, text in labels.items() if bool(self.regex.fullmatch(name)) == keeps}
            case "lowercase":
                return labels | {self.target_label: value.lower()}
            case "uppercase":
                return labels | {self.target_label: value.upper()}
            case "hashmod":
                # The last 8 bytes of MD5, for the same numbers as Prometheus.
                digest = hashlib.md5(value.encode("utf-8", "replace"), usedforsecurity=False).digest()
                return labels | {self.target_label: str(int.from_bytes(digest[8:]) % self.modulus)}
        return self._replace(labels, value)

    def _replace(self, labels: Labels, value: str) -> Labels:
        found = self.regex.fullmatch(value)
        if found is None:
            return labels
        target = _expand(self.target_label, self.regex, found)
        return labels | {target: _expand(self.replacement, self.regex, found)} if target else labels

    def _mapped(self, labels: Labels) -> Iterator[tuple[str, str]]:
        for name, text in labels.items():
            if found := self.regex.fullmatch(name):
                yield _expand(self.replacement, self.regex, found), text


def relabel(rules: tuple[Rule, ...], labels: Labels) -> Labels | None:
    """Apply rules in their order; return the labels that are not empty, or None if a rule drops the container."""
    for rule in rules:
        changed = rule.apply(labels)
        if changed is None:
            return None
        # To Prometheus, a label without a value is not there.
        labels = {name: value for name, value in changed.items() if name and value}
    return labels


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read a list of rules in YAML; raises `ValueError` with a message that says which rule is wrong, and why."""
    try:
        document = read_yaml(text)
    except YamlError as error:
        raise ValueError(str(error)) from None
    if document is None or document == "":
        return ()
    if not isinstance(document, list) or not all(isinstance(rule, dict) for rule in document):
        raise ValueError("it is not a list of rules (example: [{action: labeldrop, regex: filename}])")
    rules = []
    for number, fields in enumerate(document, 1):
        try:
            rules.append(_rule(fields))
        except ValueError as error:
            raise ValueError(f"rule {number}: {error}") from None
    return tuple(rules)


def _rule(fields: dict[Any, Any]) -> Rule:
    for name in fields:
        if name not in _FIELDS:
            raise ValueError(f"unknown field {quote(str(name))}{hint(str(name), _FIELDS)}")
    texts = {name: fields.get(name, default) for name, default in _DEFAULTS.items()}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a text")  # noqa: TRY004
    action = texts["action"].lower()
    if action not in _ACTIONS:
        raise ValueError(f"unknown action {quote(texts['action'])}{hint(action, _ACTIONS)}")
    sources = fields.get("source_labels", [])
    if not isinstance(sources, list) or not all(isinstance(source, str) for source in sources):
        raise ValueError("source_labels must be a list of texts")
    if not (texts["modulus"].isascii() and texts["modulus"].isdigit() and int(texts["modulus"]) < 2**64):
        raise ValueError(f"modulus {quote(texts['modulus'])} is not a whole number")
    rule = Rule(
        source_labels=tuple(sources),
        separator=texts["separator"],
        regex=_compile(texts["regex"]),
        modulus=int(texts["modulus"]),
        target_label=texts["target_label"],
        replacement=texts["replacement"],
        action=action,
    )
    _check(rule, fields)
    return rule


def _check(rule: Rule, fields: Mapping[str, Any]) -> None:
    """Refuse what Prometheus refuses."""
    if rule.action in _WITH_TARGET and not rule.target_label:
        raise ValueError(f"action {rule.action} needs target_label")
    if rule.action == "labelmap" and not rule.replacement:
        raise ValueError("action labelmap needs a replacement")
    if _TENANT in (rule.target_label, rule.replacement):
        raise ValueError(f"the label {_TENANT} cannot choose the tenant of one container: use loki-tenant-id")
    if rule.action == "hashmod" and not rule.modulus:
        raise ValueError("action hashmod needs a modulus above 0")
    changed = [name for name, default in _DEFAULTS.items() if fields.get(name, default) != default]
    useless: tuple[str, ...] = ()
    if rule.action in ("lowercase", "uppercase"):
        useless = ("replacement",)
    elif rule.action in ("keepequal", "dropequal"):
        useless = ("regex", "modulus", "separator", "replacement")
    elif rule.action in _ONLY_REGEX:
        useless = ("target_label", "modulus", "separator", "replacement")
        if rule.source_labels:
            raise ValueError(f"action {rule.action} takes no source_labels, only regex")
    for name in useless:
        if name in changed:
            raise ValueError(f"action {rule.action} takes no {name}")


def _compile(pattern: str) -> _Regex:
    try:
        compiled: _Regex = re2.compile(f"(?s:{pattern})", _QUIET)
    except (re2.error, UnicodeError):
        raise ValueError(f"regex {quote(pattern)} is not a regular expression in RE2 syntax") from None
    return compiled


def _expand(template: str, regex: _Regex, match: _Match) -> str:
    """Fill in a template as Go's ``Regexp.Expand``: a group that is unknown or took no part is empty."""

    def group(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        number = int(name) if name.isdigit() else regex.groupindex.get(name, -1)
        return (match.group(number) or "") if 0 <= number <= regex.groups else ""

    return _REFERENCE.sub(group, template)
