"""Validation: from the log-opts of a container to typed values, or to every fault that they have.

A container's own log-opts win over the plugin-wide defaults, option by option; which options there are is said by a
`Schema`. Faults are sentences such as ``unknown log-opt 'loki-ur' (did you mean 'loki-url'?)``; a value that is a
secret is in none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar, cast

from plugin.config import common_options as common
from plugin.config.layers import Given, Layers, default_value, shown
from plugin.config.parsing import closest_name, quote
from plugin.config.schema import PER_INSTANCE, Option, Schema, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.sink_selection import own_instances, select_sinks
from plugin.errors import OptionError

T = TypeVar("T")

DEFAULTS_SOURCE = "PEAVEY_LOG_OPTS"
"""Where the plugin-wide defaults come from, as faults say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkChoice:
    """One sink that a container's records go to, with the options that it has there."""

    instance: str
    """Its name at this container: the sink's own, or another where there are two of a kind. Fit for a file name."""
    sink: str
    values: Mapping[str, Any]
    """Typed values by name, read with `get`: of all options of the sink, and of the common options that are for records
    or delivery, as they hold for this sink. Secrets are `Secret`."""
    raw: Mapping[str, str | Secret]
    """The texts that were given for options of the sink, by name without instance; secrets are wrapped."""
    own: bool
    """Whether the container's own log-opts choose it, and not the plugin-wide defaults alone, which may be newer."""
    faults: tuple[str, ...] = ()
    """Why the sink cannot be used; only ever filled by `validate_leniently`."""

    def get(self, option: Option[T]) -> T:
        """Return the value of an option, of the type that its declaration says."""
        return cast("T", self.values[option.name])


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """The log-opts of one container: sizes in bytes, durations in seconds, None for a limit that is not set.

    What is for records and their delivery can differ between sinks, and is in their choices.
    """

    max_size: int
    max_file: int
    compress: bool
    max_age: float | None
    buffer_limit: int
    overflow: str
    fsync_interval: float | None
    sinks: tuple[SinkChoice, ...] = ()
    notes: tuple[str, ...] = ()
    """Remarks worth one line in the log: options that are accepted, and what Peavey does instead."""


def validate(
    config: Mapping[str, str], defaults: Mapping[str, str] | None = None, schema: Schema = common.JOURNAL_ONLY
) -> ContainerOptions:
    """Check the log-opts of a container that is started, ``defaults`` being the plugin-wide ones.

    Raises `OptionError` with all faults.
    """
    options, faults = validate_leniently(config, defaults, schema)
    if faults:
        raise OptionError(faults)
    return options


def validate_leniently(
    config: Mapping[str, str], defaults: Mapping[str, str] | None = None, schema: Schema = common.JOURNAL_ONLY
) -> tuple[ContainerOptions, tuple[str, ...]]:
    """Read log-opts that were accepted once, also if they no longer would be; return them and their faults.

    A common option at fault has its default instead. A sink at fault is chosen all the same, with its faults: it must
    not be used, but is not forgotten either.
    """
    layers = Layers(schema, ((config, ""), (defaults or {}, f" of {DEFAULTS_SOURCE}")))
    own, _ = layers
    for given in own.values():
        _read(given, layers.faults)
    chosen = select_sinks(layers)
    own_sinks = own_instances(layers)
    sinks = tuple(_choice(layers, instance, sink, own=instance in own_sinks) for instance, sink in chosen.items())
    options = _container_options(layers, sinks)
    return options, tuple(dict.fromkeys([*layers.faults, *(fault for sink in sinks for fault in sink.faults)]))


def defaults_faults(defaults: Mapping[str, str], schema: Schema = common.JOURNAL_ONLY) -> tuple[str, ...]:
    """Return the faults of plugin-wide defaults, as far as they show without a container.

    A container may add what a sink needs, and files of secrets may come later: neither is a fault here. The engine's
    own options are, since it does not see these defaults.
    """
    layers = Layers(schema, ((defaults, ""),))
    layers.faults += [_unknown_sink(schema, sink) for sink in select_sinks(layers).values() if not schema.sink(sink)]
    for given in next(iter(layers)).values():
        if given.known.option.group == "engine":
            layers.faults.append(f"{given.label} is for the engine: set it under log-opts in its daemon.json")
        elif not given.known.is_file:
            _read(given, layers.faults)
    return tuple(dict.fromkeys(layers.faults))


def _container_options(layers: Layers, sinks: tuple[SinkChoice, ...]) -> ContainerOptions:
    return ContainerOptions(
        max_size=layers.value(common.MAX_SIZE),
        max_file=layers.value(common.MAX_FILE),
        compress=layers.value(common.COMPRESS),
        max_age=layers.value(common.MAX_AGE),
        buffer_limit=layers.value(common.BUFFER_LIMIT),
        overflow=layers.value(common.OVERFLOW),
        fsync_interval=layers.value(common.FSYNC_INTERVAL),
        sinks=sinks,
        notes=tuple(
            f"{given.label}: {given.known.option.superseded}"
            for layer in layers
            for given in layer.values()
            if given.known.option.superseded
        ),
    )


def _choice(layers: Layers, instance: str, name: str, *, own: bool) -> SinkChoice:
    """Collect the options of one chosen sink."""
    sink = layers.schema.sink(name)
    if sink is None:
        fault = _unknown_sink(layers.schema, name)
        return SinkChoice(instance=instance, sink=name, values={}, raw={}, own=own, faults=(fault,))
    values: dict[str, Any] = {}
    raw: dict[str, str | Secret] = {}
    faults: list[str] = []
    for option in sink.options:
        given = next(layers.candidates((instance, option.name), ("", option.name)), None)
        if given is not None:
            raw[given.written.rpartition(".")[2]] = shown(given)
        if given is not None and not given.is_blank:
            values[option.name] = _read(given, faults)
            continue
        values[option.name] = default_value(option)
        if option.required and option.name not in layers.guessed:
            faults.append(f"sink {quote(instance)} needs log-opt {quote(option.name)}")
    for option in layers.schema.common:
        if option.group in PER_INSTANCE:
            values[option.name] = _common_for_sink(layers, instance, sink, option)
    values[common.RETRY_MIN.name] = min(values[common.RETRY_MIN.name], values[common.RETRY_MAX.name])
    # A required option that was misspelt has no value, and its fault is known already.
    if not faults and not layers.guessed:
        faults += sink.check(values)
    return SinkChoice(
        instance=instance,
        sink=name,
        values=MappingProxyType(values),
        raw=MappingProxyType(raw),
        own=own,
        faults=tuple(faults),
    )


def _common_for_sink(layers: Layers, instance: str, sink: SinkOptions, option: Option[T]) -> T:
    """Return the value that a common option has for one sink.

    In each layer the order is: for the instance, by the sink's own option that stands for it, for all.
    """
    own_names = [own.name for own in sink.options if own.stands_for == option.name]
    return layers.value(
        option,
        (instance, option.name),
        *((who, name) for who in (instance, "") for name in own_names),
        ("", option.name),
        default=sink.defaults.get(option.name),
        keeps_empty=option.name in sink.keeps_empty,
    )


def _read(given: Given, faults: list[str]) -> Any:
    """Return the value that was given; None if it is empty, or at fault, which is added to ``faults``."""
    if given.is_blank:
        return None
    try:
        return given.read()
    except ValueError as fault:
        faults.append(str(fault))
        return None


def _unknown_sink(schema: Schema, name: str) -> str:
    known = sorted(sink.name for sink in schema.sinks)
    closest = closest_name(name, known)
    guess = f"did you mean '{closest}'? " if closest else ""
    return f"unknown sink {quote(name)} ({guess}known sinks: {', '.join(known) or 'none'})"
