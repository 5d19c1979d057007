"""The log-opts in force for a container: its own, those of its profiles, and the plugin-wide ones.

Sinks of a profile are called ``PROFILE.SINK``, so that each has a cursor of its own: a profile that is taken away and
given back goes on where it was. A profile's log-opts are for its sinks alone; those of the journal hold for all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from plugin.config.common_options import JOURNAL_ONLY, JournalOptions, SelectionOptions
from plugin.config.layers import Given, Layer, Layers, shown
from plugin.config.options import (
    DEFAULTS_SOURCE,
    ContainerOptions,
    SinkChoice,
    container_options,
    outlined,
    read_choice,
    read_given,
)
from plugin.config.parsing import hint, parse_list, quote
from plugin.config.profiles import BEGINNING, Profiles, Redirect
from plugin.config.schema import PER_INSTANCE, Schema
from plugin.config.sink_selection import (
    MOST_SINKS,
    chosen_by,
    misplaced,
    names_none,
    naming_of,
    own_instances,
    select_sinks,
)
from plugin.docker.info import Info
from plugin.errors import OptionError

_SINK, _PROFILE = SelectionOptions.sink.name, SelectionOptions.profile.name
_SECOND = 1_000_000_000

Memo = dict[object, tuple[ContainerOptions, tuple[str, ...]]]
"""What was read already: containers that have the same log-opts and profiles have the same options."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """A sink that a container is to have: ``inner`` is its name among the log-opts that are in ``layers``."""

    layers: Layers
    inner: str
    sink: str
    instance: str
    own: bool
    since: int | None = None


class _Plan(NamedTuple):
    """What was chosen for a container, and what is wrong with it; ``layers`` are for the options of its journal."""

    layers: Layers
    sinks: list[_Planned]
    faults: list[str]


class InForce(NamedTuple):
    """A log-opt in force: the sink that it is for, empty for all; its value, masked if secret; where it was given."""

    sink: str
    name: str
    value: str
    source: str


class Rules:
    """What makes a container's options of its own log-opts: the plugin-wide ones, and profiles and routes."""

    def __init__(
        self, log_opts: Mapping[str, str], schema: Schema = JOURNAL_ONLY, profiles: Profiles | None = None
    ) -> None:
        self.log_opts = log_opts
        self.schema = schema
        self.profiles = profiles or Profiles()

    def read(
        self, info: Info, redirect: Redirect | None = None, memo: Memo | None = None
    ) -> tuple[ContainerOptions, tuple[str, ...]]:
        """Return the options of a container, and all faults, as `validate_leniently` does.

        A profile that does not exist is a fault too. ``memo`` is for many containers that are read at once.
        """
        moved = () if redirect is None else (redirect.number, redirect.since, tuple(redirect.options.items()))
        key = (tuple(sorted(info.options.items())), self.chosen(info, redirect), moved)
        if memo is not None and key in memo:
            return memo[key]
        plan = self._plan(info, redirect)
        faults = list(plan.faults)
        own = next(iter(plan.layers))
        for given in own.values():
            if not (names_none(own) and (given.instance or given.known.sink)):
                read_given(given, faults)
        sinks = tuple(_choice(planned) for planned in plan.sinks)
        options = container_options(plan.layers, sinks)
        for layers in [plan.layers, *(planned.layers for planned in plan.sinks)]:
            faults += layers.faults
        faults += [fault for sink in sinks for fault in sink.faults]
        found = options, tuple(dict.fromkeys(faults))
        if memo is not None:
            memo[key] = found
        return found

    def check(self, info: Info) -> ContainerOptions:
        """Return the options of a container that starts. Raises `OptionError` with all faults."""
        options, faults = self.read(info)
        if faults:
            raise OptionError(faults)
        return options

    def outline(self, info: Info, redirect: Redirect | None = None) -> ContainerOptions:
        """Return what `plugin.config.options.outline` does: the journal's bounds, and which sinks there are."""
        plan = self._plan(info, redirect, guess=False)
        sinks = (outlined(one.instance, one.sink, own=one.own, since=one.since) for one in plan.sinks)
        return ContainerOptions(
            {option.name: plan.layers.value(option) for option in JournalOptions.options}, tuple(sinks)
        )

    def explain(self, info: Info, redirect: Redirect | None = None) -> Iterator[str]:
        """Yield lines that say which log-opts are in force, for all and for each sink, and where each was given.

        Secrets are masked. What is at its built-in default is left out.
        """
        plan = self._plan(info, redirect, guess=False)
        in_force = list(self.in_force(info, redirect))
        for instance, head in [
            ("", "for all:"),
            *((one.instance, f"sink {one.instance} ({one.sink}):") for one in plan.sinks),
        ]:
            yield head
            yield from (f"  {one.name}={one.value}  ({one.source})" for one in in_force if one.sink == instance)

    def in_force(self, info: Info, redirect: Redirect | None = None) -> Iterator[InForce]:
        """Yield the log-opts in force, by name: those for all, then those of each sink. As for ``explain``."""
        plan = self._plan(info, redirect, guess=False)
        own = "container" if redirect is None else "container or redirect"
        shared = _shared(plan.layers)
        yield from _in_force("", shared.values(), own)
        for planned in plan.sinks:
            names = {given.known.option.name: given for given in _of_sink(planned)}
            theirs = [
                given
                for given in names.values()
                if given.known.sink is not None or shared.get(("", given.known.option.name)) != given
            ]
            yield from _in_force(planned.instance, theirs, own)

    def chosen(self, info: Info, redirect: Redirect | None = None) -> tuple[str, ...] | None:
        """Return the profiles of a container, by its own choice or by a route; None if neither says anything."""
        own = self.own_options(info, redirect)
        if _PROFILE in own:
            return tuple(dict.fromkeys(parse_list(own[_PROFILE])))
        if self.profiles.routes and not self._chooses(own):
            return self.profiles.route(info)
        return None

    def own_options(self, info: Info, redirect: Redirect | None) -> dict[str, str]:
        """Return a container's own log-opts; a redirect's are stronger, and its sinks stand in the place of others."""
        own = dict(info.options)
        if redirect is None:
            return own
        if self.replaces_sinks(redirect):
            own = dict(self._without_sinks(own))
        return own | redirect.options

    def replaces_sinks(self, redirect: Redirect) -> bool:
        """Return whether a redirect says where to send to, rather than only how."""
        return _PROFILE in redirect.options or self._chooses(redirect.options)

    def _chooses(self, options: Mapping[str, str]) -> bool:
        (layer,) = Layers(self.schema, [(options, "")], guess=False)
        return naming_of(layer) is not None or bool(chosen_by(layer, self.schema)[0])

    def _without_sinks(self, options: Mapping[str, str], *, keeps_options: bool = False) -> Iterator[tuple[str, str]]:
        """Yield log-opts without those that choose sinks, and, unless ``keeps_options``, without those of sinks."""
        for name, text in options.items():
            instance, bare = self.schema.split(name)
            known = self.schema.find(bare)
            if name in (_SINK, _PROFILE) or (not keeps_options and known is not None and (known.sink or instance)):
                continue
            yield name, text

    def _plan(self, info: Info, redirect: Redirect | None, *, guess: bool = True) -> _Plan:
        own = self.own_options(info, redirect)
        chosen = self.chosen(info, redirect)
        if chosen is None:
            layers = self._layers([(own, "")], guess=guess, silent=() if redirect is None else (2,))
            ours = own_instances(layers)
            sinks = [_Planned(layers, name, sink, name, name in ours) for name, sink in select_sinks(layers).items()]
            return _Plan(layers, _redirected(sinks, redirect) if self._is_moved(redirect) else sinks, [])
        return self._plan_profiles(own, chosen, redirect, guess=guess)

    def _is_moved(self, redirect: Redirect | None) -> bool:
        return redirect is not None and self.replaces_sinks(redirect)

    def _plan_profiles(
        self, own: Mapping[str, str], chosen: Iterable[str], redirect: Redirect | None, *, guess: bool
    ) -> _Plan:
        known = {name: self.profiles.profiles[name] for name in chosen if name in self.profiles.profiles}
        faults = [self._unknown(name) for name in chosen if name not in known]
        texts = [(one.options, f" of profile {quote(name)}") for name, one in known.items()]
        layers = self._layers([(own, ""), *texts], guess=guess, silent=range(1, len(texts) + 3))
        own_layer = next(iter(layers))
        if names_none(own_layer):
            return _Plan(layers, [], faults)
        ours, more = chosen_by(own_layer, self.schema)
        faults += more
        naming = naming_of(own_layer)
        everywhere = dict(self._without_sinks(own, keeps_options=naming is None))
        selected = dict(ours)
        sinks: list[_Planned] = []
        for name, profile in known.items():
            of_profile = (profile.options, f" of profile {quote(name)}")
            parts = self._layers([(everywhere, ""), of_profile], guess=False, silent=range(4))
            theirs, _ = chosen_by(list(parts)[1], self.schema)
            parts.faults.clear()  # the container's own have been told, and the profile's when its file was read
            since = self.since(profile.start) if redirect is None else redirect.since_of(profile.start)
            sinks += [_Planned(parts, inner, sink, f"{name}.{inner}", False, since) for inner, sink in theirs.items()]
            if naming is None:
                ours = {inner: sink for inner, sink in ours.items() if inner not in theirs}
            selected |= theirs
        faults += misplaced(own_layer, selected, naming)
        additional = [_Planned(layers, name, sink, name, own=True) for name, sink in ours.items()]
        sinks = [*(_redirected(additional, redirect) if self._is_moved(redirect) else additional), *sinks]
        if len(sinks) > MOST_SINKS:
            faults.append(f"{len(sinks)} sinks are chosen, at most {MOST_SINKS} are accepted")
        return _Plan(layers, sinks, faults)

    def since(self, start: float) -> int:
        """Return from which time on a sink is sent what was there before it, by how far back it begins."""
        return 0 if start == BEGINNING else max(1, self.profiles.accepted - int(start * _SECOND))

    def _layers(
        self, stronger: Iterable[tuple[Mapping[str, str], str]], *, guess: bool, silent: Iterable[int]
    ) -> Layers:
        """Return these layers above that of the file's defaults, which choose no sinks, and the plugin-wide one."""
        above = list(stronger)
        source = self.profiles.source or "the file of profiles"
        configs = [*above, (self.profiles.defaults, f" of {source}"), (self.log_opts, f" of {DEFAULTS_SOURCE}")]
        return Layers(self.schema, configs, guess=guess, silent={len(above), *silent})

    def _unknown(self, name: str) -> str:
        known = sorted(self.profiles.profiles)
        if not known:
            return (
                f"unknown profile {quote(name)} (there are none: {self.profiles.source or 'PEAVEY_CONFIG'} names none)"
            )
        guess = hint(name, known) or f" (there are: {', '.join(known)})"
        return f"unknown profile {quote(name)}{guess}"


def profile_faults(
    options: Mapping[str, str], defaults: Mapping[str, str], log_opts: Mapping[str, str], schema: Schema
) -> list[str]:
    """Return the faults of a profile upon the defaults of its file, as far as they show without a container.

    Files that hold secrets may come later: that one is not there is not a fault here.
    """
    layers = Layers(schema, ((options, ""), (defaults, ""), (log_opts, f" of {DEFAULTS_SOURCE}")), silent=(1, 2))
    of_profile, of_defaults, _ = layers
    faults: list[str] = []
    for layer in (of_profile, of_defaults):
        faults += _out_of_place(layer)
        for given in layer.values():
            if not given.known.is_file:
                read_given(given, layers.faults)
    if (naming := naming_of(of_defaults)) is not None:
        faults.append(f"{naming.label}: defaults choose no sinks, profiles do")
    for instance, sink in select_sinks(layers).items():
        faults += read_choice(layers, instance, sink, own=False).faults
    by_file = tuple(given.label + ":" for layer in layers for given in layer.values() if given.known.is_file)
    return [fault for fault in dict.fromkeys([*layers.faults, *faults]) if not fault.startswith(by_file)]


def _strongest(layers: Layers) -> dict[tuple[str, str], Given]:
    """Return what counts of what was given, by instance and name."""
    found: dict[tuple[str, str], Given] = {}
    for layer in layers:
        for key, given in layer.items():
            found.setdefault(key, given)
    return found


def _shared(layers: Layers) -> dict[tuple[str, str], Given]:
    """Return what counts for all sinks and the journal: of what profiles say, that for the journal only."""
    found: dict[tuple[str, str], Given] = {}
    for layer in layers:
        for key, given in layer.items():
            of_profile = given.origin.startswith(" of profile ") and given.known.option.group in PER_INSTANCE
            if given.known.sink is None and not of_profile:
                found.setdefault(key, given)
    return found


def _of_sink(planned: _Planned) -> Iterator[Given]:
    """Yield what counts for a sink, what is given for it alone last."""
    found = _strongest(planned.layers)
    for instance in ("", planned.inner):
        for (whose, _), given in found.items():
            sink = given.known.sink
            if whose == instance and (sink.name == planned.sink if sink else given.known.option.group in PER_INSTANCE):
                yield given


def _in_force(sink: str, many: Iterable[Given], own: str) -> Iterator[InForce]:
    for given in sorted(many, key=lambda given: given.known.option.name):
        yield InForce(sink, given.written, str(shown(given)), given.origin.removeprefix(" of ") or own)


def _out_of_place(layer: Layer) -> Iterator[str]:
    for given in layer.values():
        if given.known.option.group == "engine":
            yield f"{given.label} is for the engine: set it under log-opts in its daemon.json"
        elif given.known.option is SelectionOptions.profile:
            yield f"{given.label}: profiles are named by routes and containers, not here"


def _redirected(sinks: Iterable[_Planned], redirect: Redirect | None) -> list[_Planned]:
    """Return sinks under the names that they have by a redirect, each of which starts over."""
    if redirect is None:
        return list(sinks)
    since = redirect.since_of(redirect.start)
    prefix = f"redirect-{redirect.number}"
    return [replace(one, instance=f"{prefix}.{one.inner}", own=False, since=since) for one in sinks]


def _choice(planned: _Planned) -> SinkChoice:
    choice = read_choice(planned.layers, planned.inner, planned.sink, own=planned.own)
    return replace(choice, instance=planned.instance, since=planned.since)
