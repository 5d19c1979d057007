"""Validation: from the log-opts of a container to typed values, or to every fault that they have.

A container's own log-opts win over the plugin-wide defaults, option by option; which options there are is said by a
`Schema`. Faults are sentences such as ``unknown log-opt 'loki-ur' (did you mean 'loki-url'?)``; a value that is a
secret is in none of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from plugin.config.common_options import JOURNAL_ONLY, DeliveryOptions, JournalOptions, RecordOptions
from plugin.config.layers import Given, Layers, shown
from plugin.config.parsing import closest_name, printable, quote
from plugin.config.schema import PER_INSTANCE, Option, Schema, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.sink_selection import names_none, own_instances, select_sinks
from plugin.config.transform_options import TransformOptions
from plugin.docker.info import Info
from plugin.docker.tag import TagError, render_tag
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
    options: SinkOptions
    """The options of the sink, of the class that it declares; that class has none for a sink that is unknown."""
    records: RecordOptions
    """What goes along with records of this sink."""
    delivery: DeliveryOptions
    """How records are delivered to this sink."""
    raw: Mapping[str, str | Secret]
    """The texts that were given for options of the sink, by name without instance; secrets are wrapped."""
    transforms: TransformOptions
    """How records are shaped on their way to this sink."""
    own: bool
    """Whether the container's own log-opts choose it, and not the plugin-wide defaults alone, which may be newer."""
    faults: tuple[str, ...] = ()
    """Why the sink cannot be used; only ever filled by `validate_leniently`."""
    since: int | None = None
    """From which time on it is sent a journal in which it has no cursor yet, nanoseconds since 1970 UTC; 0 for all.

    None where profiles and redirects do not choose it: one of the container's own is sent all, and one that the
    plugin-wide log-opts choose nothing before the container's next start.
    """

    @property
    def needs_all(self) -> bool:
        """Whether a journal in which it has no cursor yet is all to be sent to it."""
        return self.own or self.since == 0

    @property
    def secrets_from_files(self) -> dict[str, Any]:
        """The values that come from files, by the name of the option."""
        declared = self.options.options
        return {option.name: self.options.value_of(option) for option in declared if option.twin in self.raw}


class ContainerOptions(JournalOptions):
    """The log-opts of one container: those of its journal, and its sinks.

    What is for records and their delivery can differ between sinks, and is in their choices. ``notes`` are remarks
    worth one line in the log: options that are accepted, and what Peavey does instead.
    """

    def __init__(
        self, values: Mapping[str, Any], sinks: tuple[SinkChoice, ...] = (), notes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(values)
        self.sinks = sinks
        self.notes = notes

    def __eq__(self, other: object) -> bool:
        """Compare the values, the sinks and the notes."""
        return (
            isinstance(other, ContainerOptions)
            and super().__eq__(other)
            and (self.sinks, self.notes) == (other.sinks, other.notes)
        )

    def __hash__(self) -> int:
        """Hash the values of the journal."""
        return super().__hash__()

    def __repr__(self) -> str:
        """Show the values, the sinks and the notes; secrets do not show themselves."""
        return f"{super().__repr__()[:-1]}, sinks={self.sinks}, notes={self.notes})"


def validate(
    config: Mapping[str, str], defaults: Mapping[str, str] | None = None, schema: Schema = JOURNAL_ONLY
) -> ContainerOptions:
    """Check the log-opts of a container that is started, ``defaults`` being the plugin-wide ones.

    Raises `OptionError` with all faults.
    """
    options, faults = validate_leniently(config, defaults, schema)
    if faults:
        raise OptionError(faults)
    return options


def validate_leniently(
    config: Mapping[str, str], defaults: Mapping[str, str] | None = None, schema: Schema = JOURNAL_ONLY
) -> tuple[ContainerOptions, tuple[str, ...]]:
    """Read log-opts that were accepted once, also if they no longer would be; return them and their faults.

    A common option at fault has its default instead. A sink at fault is chosen all the same, with its faults: it must
    not be used, but is not forgotten either.
    """
    layers = Layers(schema, ((config, ""), (defaults or {}, f" of {DEFAULTS_SOURCE}")))
    own, _ = layers
    for given in own.values():
        if not (names_none(own) and (given.instance or given.known.sink)):
            read_given(given, layers.faults)
    chosen = select_sinks(layers)
    own_sinks = own_instances(layers)
    sinks = tuple(read_choice(layers, instance, sink, own=instance in own_sinks) for instance, sink in chosen.items())
    options = container_options(layers, sinks)
    return options, tuple(dict.fromkeys([*layers.faults, *(fault for sink in sinks for fault in sink.faults)]))


def check_start(options: ContainerOptions, info: Info) -> None:
    """Raise `OptionError` if log-opts that are right as such cannot work for a container: files, and templates."""
    faults = [fault for choice in options.sinks for fault in start_faults(choice, info)]
    if faults:
        raise OptionError(dict.fromkeys(faults))


def start_faults(choice: SinkChoice, info: Info) -> Iterator[str]:
    """Yield why log-opts of a sink that are right as such cannot work for a container: files, and templates."""
    try:
        if choice.records.tag:
            render_tag(choice.records.tag, info)
    except TagError as error:
        yield f"log-opt {quote(RecordOptions.tag.name)}: {printable(str(error))}"
    for fault in choice.options.check_start(info):
        yield f"sink {quote(choice.instance)}: {printable(fault)}"


def outline(
    config: Mapping[str, str], defaults: Mapping[str, str] | None = None, schema: Schema = JOURNAL_ONLY
) -> ContainerOptions:
    """Read of log-opts that were accepted once what intake needs: the journal's bounds, and which sinks there are.

    Takes microseconds whatever they hold: no option of a sink is read, and no file. The choices have no values.
    """
    layers = Layers(schema, ((config, ""), (defaults or {}, "")), guess=False)
    own = own_instances(layers)
    sinks = (outlined(instance, sink, own=instance in own) for instance, sink in select_sinks(layers).items())
    return ContainerOptions({option.name: layers.value(option) for option in JournalOptions.options}, tuple(sinks))


def outlined(instance: str, sink: str, *, own: bool, since: int | None = None) -> SinkChoice:
    """Return a choice that has no values."""
    return SinkChoice(
        instance=instance,
        sink=sink,
        options=SinkOptions({}),
        records=RecordOptions({}),
        delivery=DeliveryOptions({}),
        transforms=TransformOptions({}),
        raw={},
        own=own,
        since=since,
    )


def defaults_faults(defaults: Mapping[str, str], schema: Schema = JOURNAL_ONLY) -> tuple[str, ...]:
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
            read_given(given, layers.faults)
    return tuple(dict.fromkeys(layers.faults))


def container_options(layers: Layers, sinks: tuple[SinkChoice, ...]) -> ContainerOptions:
    """Read the options of the journal, to go with sinks that were chosen; faults are added to ``layers``."""
    return ContainerOptions(
        {option.name: layers.value(option) for option in JournalOptions.options},
        sinks=sinks,
        notes=tuple(
            f"{given.label}: {given.known.option.superseded}"
            for layer in layers
            for given in layer.values()
            if given.known.option.superseded
        ),
    )


def read_choice(layers: Layers, instance: str, name: str, *, own: bool) -> SinkChoice:
    """Collect the options of one chosen sink."""
    sink = layers.schema.sink(name)
    if sink is None:
        fault = _unknown_sink(layers.schema, name)
        return SinkChoice(
            instance=instance,
            sink=name,
            options=SinkOptions({}),
            records=RecordOptions.defaults_alone(),
            delivery=DeliveryOptions.defaults_alone(),
            transforms=TransformOptions.defaults_alone(),
            raw={},
            own=own,
            faults=(fault,),
        )
    values: dict[str, Any] = {}
    raw: dict[str, str | Secret] = {}
    faults: list[str] = []
    for option in sink.options:
        given = next(layers.candidates((instance, option.name), ("", option.name)), None)
        if given is not None:
            raw[given.written.rpartition(".")[2]] = shown(given)
        if given is not None and not given.is_blank:
            values[option.name] = read_given(given, faults)
            continue
        values[option.name] = option.default_value()
        if option.required and option.name not in layers.guessed:
            faults.append(f"sink {quote(instance)} needs log-opt {quote(option.name)}")
    for option in layers.schema.common:
        if option.group not in PER_INSTANCE:
            continue
        known = len(layers.faults)
        if option.is_family:
            values[option.name] = layers.family(option, instance)
        else:
            values[option.name] = _common_for_sink(layers, instance, sink, option)
        if option.group == "shaping":  # a sink must not get what it was not to get, such as what is to be redacted
            faults += layers.faults[known:]
    shortest, longest = DeliveryOptions.retry_min.name, DeliveryOptions.retry_max.name
    values[shortest] = min(values[shortest], values[longest])
    options = sink(MappingProxyType(values))
    transforms = TransformOptions(values)
    faults += transforms.check()
    # A required option that was misspelt has no value, and its fault is known already.
    if not faults and not layers.guessed:
        faults += options.check()
    return SinkChoice(
        instance=instance,
        sink=name,
        options=options,
        records=RecordOptions(values),
        delivery=DeliveryOptions(values),
        transforms=transforms,
        raw=MappingProxyType(raw),
        own=own,
        faults=tuple(faults),
    )


def _common_for_sink(layers: Layers, instance: str, sink: type[SinkOptions], option: Option[T]) -> T:
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


def read_given(given: Given, faults: list[str]) -> Any:
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
