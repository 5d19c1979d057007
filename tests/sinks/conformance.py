"""What a sink declares in `tests/sinks/<name>/conformance.py`: log-opts, a receiver, what becomes of a line."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.sinks.receiving.receiver import Protocol, Receiver
from tests.testbed.tcp_proxy import TcpProxy

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
        sink gives up waiting, or break off (``breaks``) its answer; say other ``statuses``; ``refuses`` one record; be
        behind a network that ``cuts`` connections
    ``patience``
        the log-opt that says how long it waits for an answer, where its protocol has answers
    ``secret_options``
        further log-opts that hold `SECRET`
    ``exactly_once``
        whether what is sent again is never there twice
    ``has_sources``
        whether what arrives says which lines are of stderr
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
    has_sources: bool = True

    def __str__(self) -> str:
        return self.name


class Network:
    """The way to a receiver, which can be cut: its own proxies where it has some, otherwise one in front of it.

    ``at`` is what a sink has to be led to in place of the receiver.
    """

    def __init__(self, place: Any) -> None:
        own: list[TcpProxy] | None = getattr(place, "proxies", None)
        self.at: Any = place
        self.proxies = own or []
        self._front: TcpProxy | None = None
        if own is None:
            self.at = self._front = TcpProxy(place.port)
            self.proxies = [self._front]

    def __enter__(self) -> Self:
        if self._front is not None:
            self._front.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._front is not None:
            self._front.close()

    def cut(self, size: int, *, answer: bool = False, reset: bool = True) -> None:
        """Cut it once so many bytes have gone through, or else before what comes back then; see `TcpProxy`."""
        for proxy in self.proxies:
            (proxy.cut_answer_after if answer else proxy.cut_after)(size, reset=reset)

    @property
    def is_cut(self) -> bool:
        """Whether a cut that was asked for has come about."""
        return not all(proxy.is_about_to_cut for proxy in self.proxies)

    def mend(self) -> None:
        """Let all through again, and cut no more."""
        for proxy in self.proxies:
            proxy.forget_cuts()
            proxy.thaw()


def server(protocol: Protocol) -> Callable[[Path], contextlib.AbstractContextManager[Receiver]]:
    """Return what makes a receiver of a protocol."""
    return lambda _: Receiver(protocol)


def url_of(at: Receiver) -> str:
    """Return the URL of a receiver."""
    return f"http://127.0.0.1:{at.port}"


def url_with_password(at: Receiver) -> str:
    """Return the URL of a receiver, with `SECRET` as the password."""
    return f"http://user:{SECRET}@127.0.0.1:{at.port}"
