"""What a sink declares in `tests/sinks/<name>/conformance.py`: log-opts, a receiver, what becomes of a line."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sinks.receiving.receiver import Protocol, Receiver

SECRET = "correct-horse-battery-staple"  # noqa: S105 (it guards nothing)

Fault = str
ALL_FAULTS: frozenset[Fault] = frozenset({"down", "frozen", "slow"})
ANSWERED: frozenset[Fault] = ALL_FAULTS | {"silent", "breaks"}
HTTP: frozenset[Fault] = ANSWERED | {"statuses", "refuses"}


def as_text(line: bytes) -> bytes | None:
    """Return a line as text, with replacement characters."""
    return line.decode("utf-8", "replace").encode()


@dataclass(frozen=True)
class Entry:
    """One sink in one of its forms.

    ``options``
        its log-opts, for a receiver at a port or a folder
    ``express``
        what arrives for a line, ``None`` if the sink leaves it out
    ``resolution``
        of its times, in nanoseconds
    ``faults``
        what a receiver of its protocol can do wrong: be ``down``, ``frozen`` or ``slow``; be ``silent`` so that the
        sink gives up waiting, or break off (``breaks``) its answer; say other ``statuses``; ``refuses`` one record
    ``patience``
        the log-opt that says how long it waits for an answer, where its protocol has answers
    ``secret_options``
        further log-opts that hold `SECRET`
    ``exactly_once``
        whether what is sent again is never there twice
    """

    name: str
    options: Callable[[Any], Mapping[str, str]]
    place: Callable[[Path], contextlib.AbstractContextManager[Any]]
    express: Callable[[bytes], bytes | None]
    resolution: int = 1
    faults: frozenset[Fault] = ALL_FAULTS
    patience: str = ""
    secret_options: Callable[[Any], Mapping[str, str]] | None = None
    refused_line: bytes = b""
    exactly_once: bool = False

    def __str__(self) -> str:
        return self.name


def server(protocol: Protocol) -> Callable[[Path], contextlib.AbstractContextManager[Receiver]]:
    """Return what makes a receiver of a protocol."""
    return lambda _: Receiver(protocol)


def url_of(at: Receiver) -> str:
    """Return the URL of a receiver."""
    return f"http://127.0.0.1:{at.port}"


def url_with_password(at: Receiver) -> str:
    """Return the URL of a receiver, with `SECRET` as the password."""
    return f"http://user:{SECRET}@127.0.0.1:{at.port}"
