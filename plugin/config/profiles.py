"""Profiles and routes: sets of log-opts by name, and which containers they are for.

What ``PEAVEY_CONFIG`` says, as it is used and kept; ``plugin.config.profiles_file`` reads and checks it.
"""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import msgspec

from plugin.docker.image import split_image_name
from plugin.docker.info import Info

_COMPOSE_PROJECT = "com.docker.compose.project"
_COMPOSE_SERVICE = "com.docker.compose.service"
_SWARM_STACK = "com.docker.stack.namespace"
_SWARM_SERVICE = "com.docker.swarm.service.name"

BEGINNING = -1.0
"""How far back a sink begins that is to be sent all that there is."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Log-opts that go together.

    ``start``
        how far back, in seconds, its sinks begin at containers that are there already: 0 for now, or `BEGINNING`
    """

    options: dict[str, str] = {}
    start: float = 0.0


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """The profiles that containers use for which all of ``when`` holds: patterns by what they are for, one suffices."""

    use: tuple[str, ...]
    when: dict[str, tuple[str, ...]] = {}

    def matches(self, info: Info) -> bool:
        """Return whether it is for a container."""
        return all(any(CONDITIONS[name](info, text) for text in texts) for name, texts in self.when.items())


class Profiles(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    ``source``
        the file that it was read from
    ``accepted``
        when it came into force, nanoseconds since 1970 UTC
    """

    defaults: dict[str, str] = {}
    profiles: dict[str, Profile] = {}
    routes: tuple[Route, ...] = ()
    source: str = ""
    accepted: int = 0

    def route(self, info: Info) -> tuple[str, ...] | None:
        """Return the profiles that the first matching route names, None if no route matches."""
        return next((route.use for route in self.routes if route.matches(info)), None)


def _matches_one(values: Iterable[str], pattern: str) -> bool:
    return any(value and fnmatchcase(value, pattern) for value in values)


def _name(info: Info, pattern: str) -> bool:
    return _matches_one([info.name], pattern)


def _image(info: Info, pattern: str) -> bool:
    whole = info.container_image_name
    return _matches_one([whole, split_image_name(whole).name], pattern)


def _label(info: Info, condition: str) -> bool:
    name, equals, pattern = condition.partition("=")
    value = (info.container_labels or {}).get(name)
    return value is not None and (not equals or fnmatchcase(value, pattern))


def _env(info: Info, condition: str) -> bool:
    name, equals, pattern = condition.partition("=")
    for variable in info.container_env or ():
        variable_name, _, value = variable.partition("=")
        if variable_name == name:
            return not equals or fnmatchcase(value, pattern)
    return False


def _of_label(label: str) -> Callable[[Info, str], bool]:
    return lambda info, pattern: _matches_one([(info.container_labels or {}).get(label, "")], pattern)


def _swarm_service(info: Info, pattern: str) -> bool:
    labels = info.container_labels or {}
    service = labels.get(_SWARM_SERVICE, "")
    return _matches_one([service, service.removeprefix(labels.get(_SWARM_STACK, "") + "_")], pattern)


CONDITIONS: dict[str, Callable[[Info, str], bool]] = {
    "name": _name,
    "image": _image,
    "label": _label,
    "env": _env,
    "compose-project": _of_label(_COMPOSE_PROJECT),
    "compose-service": _of_label(_COMPOSE_SERVICE),
    "swarm-stack": _of_label(_SWARM_STACK),
    "swarm-service": _swarm_service,
}
"""What a route can ask of a container, by name: each takes the container and a pattern."""


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """Log-opts for one container instead of its own, from a time on (nanoseconds since 1970 UTC).

    ``number``
        tells the sinks of one redirect of a container from those of its next
    ``start``
        how far back, in seconds, its sinks begin: 0 for now, or `BEGINNING`
    """

    number: int
    options: dict[str, str]
    since: int
    start: float = 0.0

    def since_of(self, start: float) -> int:
        """Return from which time on a sink is sent what was there before it, by how far back it begins."""
        return 0 if start == BEGINNING else max(1, self.since - int(start * 1_000_000_000))
