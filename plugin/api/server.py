"""Serve the application on a unix socket, and on a TCP address if one is set."""

import asyncio
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from plugin.api.tcp_listener import FurtherAddress
from plugin.api.tcp_protocol import BoundedProtocol, Connections
from plugin.errors import SettingError

logger = logging.getLogger(__name__)

_BACKLOG = 1024
_NEVER = 10 * 365 * 24 * 3600
_GRACE = 2
_LISTEN_AGAIN = 5.0
_ENDING = (signal.SIGTERM, signal.SIGINT)


def end_on_signals() -> None:
    """Exit with status 0 on SIGTERM and SIGINT from now on, by ``SystemExit``, until ``serve`` is called."""
    for number in _ENDING:
        signal.signal(number, lambda *_: sys.exit(0))


def bind(path: Path) -> socket.socket:
    """Return the socket, readable and writable for its owner only; one that a dead process left behind is replaced.

    Raises ``SettingError`` if a living process listens on it, or the path cannot be used.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(_BACKLOG)
        logger.info("listening on %s", path)
    except OSError as error:
        listener.close()
        raise SettingError(f"cannot listen on {path}: {error.strerror or error}") from error
    except SettingError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SettingError(f"cannot listen on {path}: it exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise SettingError(f"cannot listen on {path}: another process listens on it")


def server_config(app: ASGIApp, **differences: Any) -> uvicorn.Config:
    """Return the configuration of a server of ours, with ``differences`` as of ``uvicorn.Config``."""
    return uvicorn.Config(
        app,
        loop="asyncio",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_NEVER,
        **differences,
    )


def serve(
    app: ASGIApp, listener: socket.socket, on_shutdown: Callable[[], None], further: FurtherAddress | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; ``on_shutdown`` is called then, before open connections are waited for.

    ``listener`` is the plugin's own socket, whose file is removed at the end.

    Idle connections are never closed before: the engine could be reusing one at that moment.
    """
    config = server_config(app, http="httptools", lifespan="on", date_header=False, timeout_graceful_shutdown=_GRACE)
    path = listener.getsockname()
    server = _Server(config, on_shutdown, further)
    for number in _ENDING:  # already now, since a handler that raises could do so in the making of the event loop
        signal.signal(number, server.handle_exit)
    try:
        server.run(sockets=[listener])
    finally:
        Path(path).unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """A server that also listens on a further address, as soon as it can, and calls back when it begins to end."""

    def __init__(self, config: uvicorn.Config, on_shutdown: Callable[[], None], further: FurtherAddress | None) -> None:
        super().__init__(config)
        self._on_shutdown = on_shutdown
        self._further = further
        self._listening: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._further is not None:
            self._listening = asyncio.create_task(self._listen_further(self._further))

    async def _listen_further(self, further: FurtherAddress) -> None:
        while (listener := further.listen()) is None:  # noqa: ASYNC110 (nothing announces that an address is free)
            await asyncio.sleep(_LISTEN_AGAIN)
        connections = Connections()

        def protocol() -> asyncio.Protocol:
            return BoundedProtocol(self.config, self.server_state, self.lifespan.state, connections, further.hosts)

        server = await asyncio.get_running_loop().create_server(protocol, sock=listener)
        self.servers.append(server)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # That readers who do not read are cut off after a grace time is as intended, and no error worth a stack trace.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._on_shutdown()
        if self._listening is not None:
            self._listening.cancel()
        await super().shutdown(sockets)
