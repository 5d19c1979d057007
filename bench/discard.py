"""The ceiling: a log plugin that throws away what it reads, as fast as an engine can bring it.

    python -m bench.discard SOCKET

At the pace of Peavey it lets the pipe collect between two looks at it: a reader that looks at once is woken for nearly
every line, competes with the engine for the processor, and slows it down. With the log-opt ``at-once=true`` it is the
reader that looks at once.

Asked for logs, it always gives the same hundred lines, which lie ready.
"""

import contextlib
import fcntl
import json
import os
import select
import socketserver
import sys
import threading
import time
from pathlib import Path
from typing import Any

from plugin.intake.pacing import Pace
from tests.testbed.wire import LogEntry, encode

AT_ONCE_OPTION = "at-once"
_PIPE_BYTES = 1 << 20

READY = b"".join(encode(LogEntry("stdout", 1_700_000_000_000_000_000, b"x" * 99 + b"\n")) for _ in range(100))
"""What is given for logs: frames of a hundred lines of 100 bytes."""


class Drain(threading.Thread):
    """A thread that reads one FIFO until it is stopped and the FIFO is empty."""

    def __init__(self, path: str, *, at_once: bool) -> None:
        super().__init__(daemon=True)
        self._pace = None if at_once else Pace(time.monotonic())
        self._stopping = os.eventfd(0, os.EFD_NONBLOCK)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with contextlib.suppress(PermissionError):  # beyond what the kernel allows a user
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def run(self) -> None:
        """Read, and forget."""
        buffer = bytearray(_PIPE_BYTES)
        stopping, readable = select.poll(), select.poll()
        for poll in (stopping, readable):
            poll.register(self._stopping, select.POLLIN)
        readable.register(self._descriptor, select.POLLIN)
        while True:
            try:
                size = os.readv(self._descriptor, [buffer])
                if not size:
                    break
            except BlockingIOError:
                if stopping.poll(0):
                    break
                readable.poll()
                continue
            if self._pace:
                time.sleep(self._pace.pause_after(size, _PIPE_BYTES, time.monotonic()))
        os.close(self._descriptor)
        os.close(self._stopping)

    def stop(self) -> None:
        """Read what is left, and end."""
        os.eventfd_write(self._stopping, 1)
        self.join()


class Handler(socketserver.StreamRequestHandler):
    """The engine's requests on one connection."""

    drains: dict[str, Drain] = {}  # noqa: RUF012 - of the process: a handler is made for each connection

    def handle(self) -> None:
        """Answer until the engine hangs up."""
        while request := self.rfile.readline():
            _, path, _ = request.decode().split()
            length = 0
            while header := self.rfile.readline().strip():
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            answer = self._answer(path, json.loads(self.rfile.read(length) or b"{}"))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))

    def _answer(self, path: str, asked: dict[str, Any]) -> bytes:
        match path:
            case "/Plugin.Activate":
                return b'{"Implements": ["LogDriver"]}'
            case "/LogDriver.Capabilities":
                return b'{"Cap": {"ReadLogs": true}}'
            case "/LogDriver.ReadLogs":
                return READY
            case "/LogDriver.StartLogging":
                at_once = AT_ONCE_OPTION in (asked["Info"].get("Config") or {})
                self.drains[asked["File"]] = drain = Drain(asked["File"], at_once=at_once)
                drain.start()
            case "/LogDriver.StopLogging":
                if known := self.drains.pop(asked.get("File", ""), None):
                    known.stop()
        return b'{"Err": ""}'


class Server(socketserver.ThreadingUnixStreamServer):
    """HTTP on a unix socket, a thread for each of the engine's connections."""

    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        """Name the client, which a unix socket leaves without a name."""
        connection, _ = super().get_request()
        return connection, ("engine", 0)


if __name__ == "__main__":
    Path(sys.argv[1]).unlink(missing_ok=True)
    with Server(sys.argv[1], Handler) as server:
        server.serve_forever()
