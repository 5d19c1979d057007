"""Which containers are meant: by name, id, pattern, label, Compose project or service."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from plugin.docker.info import Info, short_id
from plugin.docker.times import format_second
from plugin.errors import JournalError, PeaveyError
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import read_metadata

PROJECT_LABELS = ("com.docker.compose.project", "com.docker.stack.namespace")
SERVICE_LABELS = ("com.docker.compose.service", "com.docker.swarm.service.name")
_GLOB = frozenset("*?[")
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Journal:
    """A container with a journal: what is known of it. Times in nanoseconds since 1970 UTC, 0 where not known."""

    id: str
    name: str = ""
    image: str = ""
    birth: int = 0
    last_seen: int = 0
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The container's name, or its short id where it has none."""
        return self.name or short_id(self.id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which containers are wanted: those that one of ``names`` means and all the other conditions hold for."""

    names: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    everything: bool = False

    @property
    def is_open(self) -> bool:
        """Whether containers that start later can fit."""
        return self.everything or not self.names or any(not is_hex_id(name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Selection:
    """The containers that were chosen, and those that were not because a newer one has their name."""

    chosen: list[Journal]
    older: list[Journal]


def known_journals(data: DataFolder, known: Mapping[str, Journal] | None = None) -> dict[str, Journal]:
    """Return the containers with a journal by id; those that are ``known`` with a name are not read again."""
    known = known or {}
    return {
        one: known[one] if one in known and known[one].name else _look_up(data, one) for one in data.container_ids()
    }


def _look_up(data: DataFolder, container_id: str) -> Journal:
    try:
        metadata = read_metadata(data.container(container_id))
    except JournalError:
        metadata = None
    if metadata is None:
        return Journal(container_id)
    info: Info = metadata.info
    return Journal(
        id=container_id,
        name=info.name,
        image=info.container_image_name,
        birth=metadata.birth,
        last_seen=metadata.last_seen,
        created=info.container_created,
        labels=info.container_labels or {},
    )


def select(journals: Mapping[str, Journal], wanted: Wanted, data: DataFolder) -> Selection:
    """Choose containers, oldest first.

    Raises ``JournalError`` for a name that means none, ``PeaveyError`` if none fits the other conditions.
    """
    older: dict[str, Journal] = {}
    if wanted.names:
        found: dict[str, Journal] = {}
        for name in wanted.names:
            chosen, passed = _named(journals, name, data)
            found |= {one.id: one for one in chosen}
            older |= {one.id: one for one in passed}
    else:
        found = dict(journals)
    chosen = [one for one in found.values() if _fits(one, wanted)]
    if not chosen and not wanted.everything:
        raise PeaveyError(f"no container with a journal in {data.path} fits")
    return Selection(sorted(chosen, key=_age), [one for one in older.values() if one.id not in found])


def find_container(data: DataFolder, wanted: str) -> str:
    """Return a container's full id by its id, its name, or the beginning of its id, in this order as the engine does.

    The newest container of a name is meant. Raises ``JournalError`` if no journal, or more than one, matches.
    """
    if wanted in data.container_ids():
        return wanted
    chosen, _ = _named(known_journals(data), wanted, data, several=False)
    return chosen[0].id


def is_hex_id(text: str) -> bool:
    """Return whether a text is a container's full id, which means one container for good."""
    return len(text) == 64 and all(sign in "0123456789abcdef" for sign in text)


def describe_older(older: Iterable[Journal]) -> list[str]:
    """Return a message for each name of which older containers were left out, with their ids and dates."""
    by_name: dict[str, list[Journal]] = {}
    for one in older:
        by_name.setdefault(one.name, []).append(one)
    messages = []
    for name, ones in by_name.items():
        listed = ", ".join(f"{short_id(one.id)} ({_dates(one)})" for one in sorted(ones, key=_age))
        messages.append(f"'{name}' is the newest container of this name; older ones, by id: {listed}")
    return messages


def _dates(one: Journal) -> str:
    return f"{format_second(one.birth // _SECOND)[:16]} to {format_second(one.last_seen // _SECOND)[:16]}Z"


def _named(
    journals: Mapping[str, Journal], wanted: str, data: DataFolder, *, several: bool = True
) -> tuple[list[Journal], list[Journal]]:
    """Return the containers that a name means, and older ones of the same name."""
    if wanted in journals:
        return [journals[wanted]], []
    name = wanted.removeprefix("/")
    found = [one for one in journals.values() if name and one.name == name]
    if not found and several and _GLOB & set(name):
        found = [one for one in journals.values() if one.name and fnmatch.fnmatchcase(one.name, name)]
    if not found and several:
        found = [one for one in journals.values() if name and name in _values(one, SERVICE_LABELS)]
    if found:
        return _newest_of_each_name(found)
    found = [one for one in journals.values() if wanted and one.id.startswith(wanted)]
    if not found:
        raise JournalError(f"no journal of a container '{wanted}' in {data.path} (--data names another data folder)")
    if len(found) > 1:
        raise JournalError(
            f"'{wanted}' matches {len(found)} containers: {', '.join(short_id(one.id) for one in found)}"
        )
    return found, []


def _newest_of_each_name(found: Sequence[Journal]) -> tuple[list[Journal], list[Journal]]:
    newest: dict[str, Journal] = {}
    for one in sorted(found, key=_age):
        newest[one.name] = one
    return list(newest.values()), [one for one in found if newest[one.name] is not one]


def _age(one: Journal) -> tuple[str, int, int, str]:
    """Return by what containers are in order, the newest last: the engine's time of creation, then the journal's."""
    return one.created, one.birth, one.last_seen, one.id


def _fits(one: Journal, wanted: Wanted) -> bool:
    if wanted.projects and not set(wanted.projects) & _values(one, PROJECT_LABELS):
        return False
    if wanted.services and not set(wanted.services) & _values(one, SERVICE_LABELS):
        return False
    for label in wanted.labels:
        key, equals, value = label.partition("=")
        if key not in one.labels or (equals and one.labels[key] != value):
            return False
    return True


def _values(one: Journal, keys: Iterable[str]) -> set[str]:
    return {one.labels[key] for key in keys if key in one.labels}
