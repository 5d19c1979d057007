"""The labels of a container in Loki, chosen as Grafana's Docker driver does, and what goes along beside them."""

import re
from collections.abc import Iterable, Iterator, Mapping

from plugin.config.parsing import quote
from plugin.docker.tag import Tag, TagError, compile_tag
from plugin.sinks.base import MisconfiguredError, Origin
from plugin.sinks.encoding.bounds import cut
from plugin.sinks.loki.relabel import Rule, relabel

ExternalLabels = tuple[tuple[str, Tag], ...]

_DEFAULT = (("container_name", compile_tag("{{.Name}}")),)
_FILENAME = "filename"
_TENANT = "__tenant_id__"
# Loki's own limits (its limits_config: max_label_name_length, max_label_value_length), in bytes.
_LONGEST_NAME = 1024
_LONGEST_VALUE = 2048

_COMMA_OR_ACTION = re.compile(r",|\{\{")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


def parse_external_labels(text: str) -> ExternalLabels:
    """Read ``name=template,…``; raises ``ValueError`` or ``TagError`` with a message that says what is wrong."""
    labels = []
    for pair in filter(str.strip, _pairs(text)):
        name, separator, template = pair.partition("=")
        name = name.strip()
        if not separator or not name:
            raise ValueError(f"{quote(pair)} is not a label (example: container_name={{{{.Name}}}},cluster=prod)")
        if name == _TENANT:
            raise ValueError(f"the label {_TENANT} cannot choose the tenant of one container: use loki-tenant-id")
        labels.append((name, compile_tag(template)))
    return tuple(labels)


def _pairs(text: str) -> Iterator[str]:
    """Part a text at its commas, but for those within an action of a template.

    Whatever the text holds, the time is in proportion to its length.
    """
    start = position = 0
    last_closing = text.rfind("}}")
    while found := _COMMA_OR_ACTION.search(text, position):
        position = found.end()
        if found[0] == ",":
            yield text[start : found.start()]
            start = position
        elif position <= last_closing:
            position = text.index("}}", position) + 2
    yield text[start:]


def container_labels(origin: Origin, external: ExternalLabels, rules: Iterable[Rule]) -> dict[str, str] | None:
    """Return the labels of a container's streams without ``source``; None if a rule drops the container.

    As in Grafana's driver, what comes later wins: ``container_name``, external labels, chosen labels and environment
    variables, names in Swarm and Compose, the host. Other than there, external labels do not take ``container_name``
    away; one that is empty takes away the label of its name, whichever it is. Rules may read ``filename``, the path
    that Grafana's driver writes its copy to, but it is not a label of the result unless they changed it: there is no
    such file, and it would make a stream of every container.

    Raises `MisconfiguredError` if a template cannot be filled in for this container.
    """
    labels: dict[str, str] = {}
    removed = {name for name, template in external if not template.text}
    for name, template in (*_DEFAULT, *external):
        try:
            labels[name] = template.render(origin.info)
        except TagError as error:
            raise MisconfiguredError(f"label {quote(name)} of log-opt 'loki-external-labels': {error}") from error
    labels |= {name.replace("-", "_").replace(".", "_"): value for name, value in origin.attributes.items()}
    labels |= origin.services
    labels["host"] = origin.host
    filename = f"/var/log/docker/{origin.info.container_id}/json.log"
    labels[_FILENAME] = filename
    relabelled = relabel(tuple(rules), {name: value for name, value in labels.items() if name not in removed})
    if relabelled is None:
        return None
    if relabelled.get(_FILENAME) == filename:
        del relabelled[_FILENAME]
    return {label_name(name): value for name, value in relabelled.items() if name}


def part_labels(
    labels: Mapping[str, str], attributes: Iterable[str], most: int
) -> tuple[dict[str, str], dict[str, str]]:
    """Part labels into those that Loki takes as such and the others, since it refuses all lines of a stream beyond.

    It takes at most ``most`` that are not empty, no name above 1 KiB, and no value above 2 KiB. The last to
    be taken are ``attributes``, the names of chosen labels and environment variables: these are many where a pattern
    chooses them.
    """
    last = {label_name(name) for name in attributes}
    fitting = [
        name
        for name, value in labels.items()
        if value and len(value.encode(errors="replace")) <= _LONGEST_VALUE and len(name) <= _LONGEST_NAME
    ]
    taken = set(sorted(fitting, key=lambda name: name in last)[:most])
    return (
        {name: value for name, value in labels.items() if name in taken},
        {name: value for name, value in labels.items() if name not in taken},
    )


def label_name(name: str) -> str:
    """Make of any text a name that Loki takes for a label: letters, digits and underscores, no digit first."""
    safe = _NOT_IN_NAMES.sub("_", name)
    return f"_{safe}" if safe[:1].isdigit() else safe


def container_metadata(origin: Origin) -> Mapping[str, str]:
    """Return what names a container but would make too many streams as a label: Loki's structured metadata."""
    tag = cut(origin.tag, _LONGEST_VALUE) if origin.tag != origin.info.id else ""
    return {"container_id": origin.info.container_id, "image": origin.info.container_image_name, "tag": tag}
