"""The links of a container: for each of its sinks the destination, and the tail that is read for it."""

import math
from pathlib import Path
from typing import NamedTuple

from plugin.config.effective import Rules
from plugin.config.options import SinkChoice
from plugin.config.profiles import Redirect
from plugin.delivery.destination import Destination
from plugin.delivery.tail import Tail
from plugin.docker.info import Info
from plugin.journal.cursors.given_up import has_given_up
from plugin.journal.cursors.store import cursor_path


class Link(NamedTuple):
    """A sink of a container: what reads the journal for it, where that goes, and the log-opts that both are by."""

    destination: Destination
    tail: Tail
    choice: SinkChoice

    def is_by(self, choice: SinkChoice) -> bool:
        """Return whether it does for each record what these log-opts say; who the container is may have changed."""
        return (self.choice.records, self.choice.transforms) == (choice.records, choice.transforms)


class LinkedContainer:
    """A container that is delivered, with its links by sink instance.

    ``changed`` is its info.json's modification time; ``next_look`` (at that) and ``retry`` are of the monotonic clock.
    ``rules`` and ``redirect`` are what its options were made by besides its own log-opts, and ``redirected`` is when
    the latter was written. ``without_cursor`` are sinks that are not delivered to, unless they get a cursor;
    ``waiting`` those whose batch must be sent again first as it was noted.
    """

    __slots__ = (
        "birth",
        "changed",
        "info",
        "links",
        "next_look",
        "redirect",
        "redirected",
        "retry",
        "rules",
        "waiting",
        "without_cursor",
    )

    def __init__(self) -> None:
        self.changed = 0
        self.next_look = 0.0
        self.retry = math.inf
        self.info: Info | None = None
        self.birth = 0
        self.rules: Rules | None = None
        self.redirect: Redirect | None = None
        self.redirected = 0
        self.links: dict[str, Link] = {}
        self.waiting: set[str] = set()
        self.without_cursor: set[str] = set()

    def has_found_cursor(self, folder: Path) -> bool:
        """Whether a sink has a cursor by now that had none."""
        return any(cursor_path(folder, instance).exists() for instance in self.without_cursor)

    def has_given_up(self, folder: Path) -> bool:
        """Whether a sink is not to be sent something any more that it was to be sent before."""
        return any(has_given_up(folder, instance) for instance in self.links)

    def forget(self, instance: str) -> None:
        """Deliver to a sink no more, or by another tail from now on."""
        link = self.links.pop(instance)
        link.destination.remove(link.tail)

    def release(self, instance: str) -> None:
        """Deliver to a sink no more that the container has no longer."""
        link = self.links.pop(instance)
        link.destination.release(link.tail)

    def announce_news(self, *, thorough: bool = False) -> bool:
        """Announce the tails that have something to read to their destinations; return whether there are any."""
        news = [link for link in self.links.values() if link.tail.has_news(thorough=thorough)]
        for link in news:
            link.destination.announce(link.tail)
        return bool(news)
