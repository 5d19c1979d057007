"""Which sinks a container's log-opts choose, under which names."""

import re

from plugin.config.common_options import SelectionOptions
from plugin.config.layers import Given, Layer, Layers
from plugin.config.parsing import parse_list, quote
from plugin.config.schema import Schema

_INSTANCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
MOST_SINKS = 16
"""The most sinks that one container may have."""
_NAMING = ("", SelectionOptions.sink.name)


def select_sinks(layers: Layers) -> dict[str, str]:
    """Return the chosen instances, each with the name of its sink, which may be unknown; add faults to ``layers``.

    ``sink=…`` names them outright. Without it, or beside a ``sink`` of a weaker layer, an option with a sink's prefix
    chooses that sink. What a weaker layer gives for sinks that a stronger one's ``sink`` leaves out is ignored.
    """
    naming = next((layer[_NAMING] for layer in layers.choosing if _NAMING in layer), None)
    selected, faults = _named(naming, layers.schema) if naming else ({}, [])
    for layer in layers.choosing:
        if _NAMING in layer:
            break
        _add_chosen_by_options(selected, layer)
    if names_none(next(iter(layers))):
        return {}
    if not faults and all(map(layers.schema.sink, selected.values())):
        for layer in layers.choosing:
            faults += misplaced(layer, selected, naming)
            if _NAMING in layer:
                break
    if len(selected) > MOST_SINKS:
        faults.append(f"{len(selected)} sinks are chosen, at most {MOST_SINKS} are accepted")
    layers.faults += faults
    return selected


def names_none(layer: Layer) -> bool:
    """Return whether a layer wants no sink: with an empty ``sink``, whatever its options choose.

    The engine puts the log-opts of its daemon.json among the container's own, so that they cannot be told apart.
    """
    return _NAMING in layer and not parse_list(layer[_NAMING].text)


def own_instances(layers: Layers) -> set[str]:
    """Return the instances that the strongest layer, the container's own, chooses by itself."""
    return set(chosen_by(next(iter(layers)), layers.schema)[0])


def chosen_by(layer: Layer, schema: Schema) -> tuple[dict[str, str], list[str]]:
    """Return the instances that a layer chooses by itself, each with the name of its sink, and faults."""
    if _NAMING in layer:
        return _named(layer[_NAMING], schema)
    selected: dict[str, str] = {}
    _add_chosen_by_options(selected, layer)
    return selected, []


def naming_of(layer: Layer) -> Given | None:
    """Return the ``sink`` of a layer, by which it names its sinks outright, None if it has none."""
    return layer.get(_NAMING)


def misplaced(layer: Layer, selected: dict[str, str], naming: Given | None) -> list[str]:
    """Return the faults of options in a layer that none of the sinks that are chosen takes."""
    return [fault for given in layer.values() if (fault := _misplaced(given, selected, naming))]


def _named(naming: Given, schema: Schema) -> tuple[dict[str, str], list[str]]:
    """Read ``loki,audit=loki`` into instances with their sinks, and faults."""
    selected: dict[str, str] = {}
    faults = []
    for item in parse_list(naming.text):
        instance, equals, sink = (part.strip() for part in item.partition("="))
        sink = sink if equals else instance
        if fault := _name_fault(naming, item, instance, sink, schema):
            faults.append(fault)
        elif instance in selected:
            faults.append(
                f"{naming.label}: {quote(instance)} is named twice (a second one needs its own name: audit={sink})"
            )
        else:
            selected[instance] = sink
    return selected, faults


def _name_fault(naming: Given, item: str, instance: str, sink: str, schema: Schema) -> str | None:
    if not sink:
        return f"{naming.label}: {quote(item)} names no sink (expected: NAME=SINK)"
    if not _INSTANCE_NAME.fullmatch(instance):
        return f"{naming.label}: {quote(instance)} is not a name (lower-case letters, digits, - and _; at most 64)"
    if schema.begins_names(instance):
        return f"{naming.label}: {quote(instance)} is taken, log-opts begin with {quote(instance + '.')} themselves"
    if instance != sink and schema.sink(instance) is not None:
        return f"{naming.label}: {quote(instance)} is a sink itself, so {quote(sink)} needs another name"
    return None


def _add_chosen_by_options(selected: dict[str, str], layer: Layer) -> None:
    for given in layer.values():
        sink = given.known.sink
        if (
            sink is not None
            and sink.name not in selected.values()
            and given.instance in ("", sink.name)
            and given.known.option.name.startswith(sink.prefix)
        ):
            selected[sink.name] = sink.name


def _misplaced(given: Given, selected: dict[str, str], naming: Given | None) -> str | None:
    """Return the fault of an option that no chosen sink takes."""
    sink = given.known.sink
    if given.instance and given.instance not in selected:
        example = f"{given.instance}={sink.name if sink else 'SINK'}"
        return f"{given.label}: no sink is called {quote(given.instance)} (log-opt 'sink' must name it: {example})"
    if sink is None or given.is_blank:
        return None
    if given.instance and selected[given.instance] != sink.name:
        kind = selected[given.instance]
        return f"{given.label} is for sink {quote(sink.name)}, but {quote(given.instance)} is a {kind}"
    if sink.name not in selected.values():
        reason = f"which {naming.label} does not name" if naming else f"which is not chosen (add sink={sink.name})"
        return f"{given.label} is for sink {quote(sink.name)}, {reason}"
    return None
