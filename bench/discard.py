"""The ceiling: a log plugin that throws away what it reads, as fast as an engine can bring it.

    python -m bench.discard SOCKET

As Peavey does, it lets the pipe collect for some milliseconds between two looks at it: a reader that looks at once is
woken for nearly every line, competes with the engine for the processor, and slows it down. A pipe that was half full is
read again at once. With the log-opt ``pause=0`` it is the reader that looks at once.

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
from pathlib import Path
from typing import Any

from tests.testbed.wire import LogEntry, encode

PAUSE_OPTION = "pause"
PAUSE = 0.005
_PIPE_BYTES = 1 << 20

READY = b"".join(encode(LogEntry("stdout", 1_700_000_000_000_000_000, b"x" * 99 + b"\n")) for _ in range(100))
"""What is given for logs: frames of a hundred lines of 100 bytes."""


class Drain(threading.Thread):
    """Reads one FIFO until it is stopped and the FIFO is empty; `pause` in seconds between two reads."""

    def __init__(self, path: str, pause: float) -> None:
        super().__init__(daemon=True)
        self._pause = pause
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
            if self._pause and size < _PIPE_BYTES // 2:
                stopping.poll(self._pause * 1000)
        os.close(self._descriptor)
        os.close(self._stopping)

    def stop(self) -> None:
        """Read what is left, and end."""
        os.eventfd_write(self._stopping, 1)
        self.join()


class Handler(socketserver.StreamRequestHandler):
    """Answers the engine's requests on one connection."""

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
                pause = float((asked["Info"].get("Config") or {}).get(PAUSE_OPTION, PAUSE))
                self.drains[asked["File"]] = drain = Drain(asked["File"], pause)
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
