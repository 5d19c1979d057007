"""``peavey console``: serve the web page with containers' logs."""

import argparse
import asyncio
import functools
import logging
import os
import signal
import socket
import ssl
import sys
from pathlib import Path

import uvicorn

from plugin.api.server import server_config
from plugin.api.tcp_listener import FurtherAddress
from plugin.api.tcp_protocol import BoundedProtocol, Connections, end_quietly
from plugin.commands.discovery import find_data, find_socket
from plugin.commands.logging_setup import log_to_stdout
from plugin.commands.rlimits import raise_file_limit
from plugin.config.listen_address import ListenAddress
from plugin.config.settings import Settings, as_variables, load_settings
from plugin.console.access import Access
from plugin.console.app import Console
from plugin.errors import SettingError
from plugin.journal.layout import DataFolder
from plugin.memory import share_arenas
from plugin.status.client import ask

SUMMARY = "serve the web page with containers' logs"
DESCRIPTION = """\
Serve a page on which the logs of all containers can be followed and searched, as a process of its own that reads the
journals: with PEAVEY_CONSOLE=true the plugin starts it on PEAVEY_HTTP. As root on a host it can also be started by
hand, for as long as it is needed, on http://127.0.0.1:9465 or what --http says.
"""
SETTINGS = ["socket", "data", "http", "http_hosts", "http_token", "http_tls_cert", "http_tls_key", "log_level"]

logger = logging.getLogger("plugin.console")

_USUAL = ListenAddress("127.0.0.1", 9465)
_NICE = 10
_GRACE = 1
_PER_ADDRESS = 48
_LONG_ANSWERS = ("/api/tail", "/api/download")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flag by which the plugin hands over its listening socket."""
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM, SIGINT, or the end of the plugin that started it. Raises ``PeaveyError`` if it cannot."""
    settings = load_settings(vars(arguments), os.environ, names=SETTINGS)
    supervised = arguments.fd is not None
    log_to_stdout(settings.log_level)
    data = DataFolder(settings.data if supervised else find_data(arguments, os.environ))
    address = settings.http or _USUAL
    listener = socket.socket(fileno=arguments.fd) if supervised else _listen(settings, address)
    context = _tls(settings)
    os.nice(max(0, _NICE - os.nice(0)))
    share_arenas()
    raise_file_limit()
    console = Console(
        data,
        lambda path: ask(settings.socket if supervised else find_socket(arguments, os.environ), path),
        Access(settings.http_token.reveal()),
        _environment(arguments),
        tls=context is not None,
    )
    server = _Server(console, settings, context, supervised=supervised)
    for number in (signal.SIGTERM, signal.SIGINT):  # a handler that raises could do so in the making of the event loop
        signal.signal(number, server.handle_exit)
    if not supervised:
        print(f"peavey: the page is at {'https' if context else 'http'}://{address}", file=sys.stderr)
    server.run(sockets=[listener])
    logging.shutdown()
    return 0


def _listen(settings: Settings, address: ListenAddress) -> socket.socket:
    if not address.is_loopback and not settings.http_token.reveal():
        raise SettingError(
            f"--http {address}: the page shows logs, and others can reach it: give --http-token @FILE,"
            " or a loopback address"
        )
    further = FurtherAddress(address)
    listener = further.listen()
    if listener is None:
        raise SettingError(further.fault.removesuffix("; retrying (or choose another address)"))
    return listener


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.http_tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.http_tls_cert, settings.http_tls_key, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise SettingError(f"PEAVEY_HTTP_TLS_CERT {settings.http_tls_cert}: cannot be used: {error}") from error
    return context


def _no_password() -> str:
    raise ValueError("the key needs a password (expected: a key without one)")


def _environment(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the environment of commands that the page runs, with the settings that came as flags."""
    return {**os.environ, **as_variables(vars(arguments)), "PYTHONPATH": str(Path(__file__).parents[2])}


class _Server(uvicorn.Server):
    """A server for the page; supervised, it ends with the process that started it."""

    def __init__(
        self,
        console: Console,
        settings: Settings,
        context: ssl.SSLContext | None,
        *,
        supervised: bool,
    ) -> None:
        connections = Connections(_PER_ADDRESS)
        protocol = functools.partial(
            BoundedProtocol, connections=connections, hosts=settings.http_hosts, long_answers=_LONG_ANSWERS
        )
        config = server_config(console.app(), http=protocol, lifespan="off", timeout_graceful_shutdown=_GRACE)
        config.load()
        config.ssl = context
        super().__init__(config)
        self._supervised = supervised
        self._console = console

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._supervised:
            loop = asyncio.get_running_loop()
            loop.add_reader(sys.stdin.fileno(), self._end, loop)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Live tails never end by themselves: that they are cut off is as intended, not an error worth a stack trace.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        end_quietly()
        self._console.stop()
        await super().shutdown(sockets)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(sys.stdin.fileno())
        self.should_exit = True
