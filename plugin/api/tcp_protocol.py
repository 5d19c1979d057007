"""HTTP with whoever reaches the TCP address: bounded in every way, since nobody there is known.

The engine's own socket has none of these bounds: only root connects to it, and its connections must never be closed.
"""

import asyncio
import ipaddress
import logging
import socket
from collections import Counter
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

logger = logging.getLogger(__name__)
_of_peers = logging.getLogger(f"{__name__}.peers")
_of_peers.setLevel(logging.ERROR)  # uvicorn warns of each request that makes no sense, and anybody can send many

MOST_CONNECTIONS = 64
MOST_PER_ADDRESS = 16
LARGEST_REQUEST = 16 * 1024
REQUEST_WITHIN = 10.0
ANSWER_WITHIN = 60.0
LONG_ANSWER_STALLS = 600.0

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def end_quietly() -> None:
    """Log no stack traces of answers that are cut off from now on, as the server ends."""
    _of_peers.setLevel(logging.CRITICAL)


class Connections:
    """Counts the connections that are open, in all and by the peer's address."""

    def __init__(self, most_per_address: int = MOST_PER_ADDRESS) -> None:
        self._most_per_address = most_per_address
        self._by_address: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Count a connection, unless there are too many."""
        if self._by_address.total() >= MOST_CONNECTIONS or self._by_address[address] >= self._most_per_address:
            return False
        self._by_address[address] += 1
        return True

    def forget(self, address: str) -> None:
        """Count a connection no more."""
        self._by_address[address] -= 1
        self._by_address += Counter()  # drops those that are 0


class BoundedProtocol(HttpToolsProtocol):
    """One connection: a request at a time, small and sent soon, whose answer is taken soon.

    ``hosts`` are the names by which the server may be called, besides its addresses and the host's own name.
    ``long_answers`` are paths whose answers may go on for ever; one that is not read ends after ten minutes.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        connections: Connections,
        hosts: Iterable[str] = (),
        long_answers: tuple[str, ...] = (),
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.app = HostGuard(self.app, hosts, "https" if config.is_ssl else "http")
        self._long_answers = long_answers
        self.logger = _of_peers
        self.timeout_keep_alive = int(ANSWER_WITHIN)  # our own timer is sooner, where it may be
        self._open = connections
        self._address: str | None = None
        self._received = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or end at once where there are too many."""
        super().connection_made(transport)
        address = str(transport.get_extra_info("peername", ("",))[0])
        if self._open.admit(address):
            self._address = address
            self._end_after(REQUEST_WITHIN)
        else:
            logger.debug("a connection from %s is refused: there are too many", address)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._address is not None:
            self._open.forget(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, unless the whole is larger than any that makes sense."""
        if self.transport.is_closing():
            return
        self._received += len(data)
        if self._received > LARGEST_REQUEST:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin a request; one that comes before the answer to the last is not waited with, but ends it all."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Wait for the answer from here on, and for its being taken."""
        self._end_after(LONG_ANSWER_STALLS if self._is_long() else ANSWER_WITHIN)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for a long answer's being taken from here on."""
        if self._is_long():
            self._end_after(LONG_ANSWER_STALLS)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Let a long answer that is taken go on."""
        if self._is_long() and self._timer is not None:
            self._timer.cancel()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Wait for the next request, once the answer is taken."""
        self._received = 0
        self._end_after(ANSWER_WITHIN if self.transport.get_write_buffer_size() else REQUEST_WITHIN)
        super().on_response_complete()

    def _is_long(self) -> bool:
        return bool(self._long_answers) and self.scope is not None and self.scope["path"] in self._long_answers

    def _end_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.abort)


class HostGuard:
    """Answers only requests that call this host by a name that is its own, and come from no page of another.

    Otherwise any page that somebody on this network opens could have a name of its own lead here, and read the answer.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], scheme: str = "http") -> None:
        self._app = app
        self._scheme = scheme
        self._hosts = {"localhost", socket.gethostname().lower(), *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        headers = Headers(scope=scope)
        given, origin = headers.get("host"), headers.get("origin")
        refusal = None
        if given is not None and not self._is_ours(given):
            text = "the Host of this request is not a name of this server; the setting PEAVEY_HTTP_HOSTS names more\n"
            refusal = PlainTextResponse(text, 421)
        elif origin is not None and origin.lower() != f"{self._scheme}://{(given or '').lower()}":
            refusal = PlainTextResponse("this is not for pages of other sites\n", 403)
        await (refusal or self._app)(scope, receive, send)

    def _is_ours(self, given: str) -> bool:
        host, _, port = given.rpartition(":")
        name = (host if host and port.isdigit() else given).rstrip(".").lower()
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return True
