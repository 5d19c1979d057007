"""A server with any number of streams attached, by an engine that is none: FIFOs, and requests over one connection."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.lines import numbered_line
from bench.machine import PACKAGE_FOLDER
from bench.processes import children
from bench.unix_http import UnixHttp, encode_request
from tests.testbed.lifetimes import short_folder
from tests.testbed.server import Server
from tests.testbed.standin import Fifo, container_info
from tests.testbed.wire import LogEntry, encode


@dataclass(frozen=True, slots=True)
class Cycle:
    """Seconds that requests took: one that does nothing, StartLogging, and StopLogging of a stream with one line."""

    activate: float
    start: float
    stop: float


class AttachedStreams:
    """Attaches streams of containers that all have the same log-opts."""

    def __init__(self, server: Server, plugin: UnixHttp, options: Mapping[str, str]) -> None:
        self._server = server
        self._plugin = plugin
        self._options = options
        self.fifos: list[Fifo] = []
        self.lines = 0

    @property
    def pids(self) -> list[int]:
        """The process that serves, and the one that delivers where there is one."""
        return [self._server.pid, *children(self._server.pid)]

    def grow(self, count: int) -> None:
        """Attach streams until there are so many; each prints one line."""
        while len(self.fifos) < count:
            fifo, info = self._new()
            self._plugin.time(_request("StartLogging", fifo, info))
            self._print(fifo)
            self.fifos.append(fifo)

    def cycle(self) -> Cycle:
        """Attach one stream more, let it print a line, and detach it."""
        activate = self._plugin.time(encode_request("Plugin.Activate", {}))
        fifo, info = self._new()
        try:
            start = self._plugin.time(_request("StartLogging", fifo, info))
            self._print(fifo)
            stop = self._plugin.time(_request("StopLogging", fifo, info))
        finally:
            fifo.remove()
        return Cycle(activate, start, stop)

    def close(self) -> None:
        """Remove all FIFOs, as an engine that ends."""
        for fifo in self.fifos:
            fifo.remove()

    def _new(self) -> tuple[Fifo, dict[str, Any]]:
        return Fifo(self._server.logging_folder), container_info(self._options)

    def _print(self, fifo: Fifo) -> None:
        fifo.write(encode(LogEntry("stdout", time.time_ns(), numbered_line(self.lines))))
        self.lines += 1


@contextmanager
def attached_streams(options: Mapping[str, str]) -> Iterator[AttachedStreams]:
    """Run a server of the package that is measured; nothing remains of it."""
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        server = Server(folder, source=PACKAGE_FOLDER)
        stack.callback(server.cleanup)
        server.start()
        streams = AttachedStreams(server, stack.enter_context(UnixHttp(server.socket)), options)
        stack.callback(streams.close)
        yield streams


def _request(method: str, fifo: Fifo, info: Mapping[str, Any]) -> bytes:
    return encode_request(f"LogDriver.{method}", {"File": str(fifo.path), "Info": info})
