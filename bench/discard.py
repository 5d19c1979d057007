"""The ceiling: a log plugin that throws away what it reads, as fast as an engine can bring it.

    python -m bench.discard SOCKET

As Peavey does, it lets the pipe collect for some milliseconds between two looks at it: a reader that looks at once is
woken for nearly every line, competes with the engine for the processor, and slows it down. A pipe that was half full is
read again at once. With the log-opt ``pause=0`` it is the reader that looks at once.
"""

import contextlib
import fcntl
import json
import os
import select
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

PAUSE_OPTION = "pause"
PAUSE = 0.003
_PIPE_BYTES = 1 << 20


class Drain(threading.Thread):
    """Reads one FIFO until it is stopped and the FIFO is empty; `pause` in seconds between two reads."""

    def __init__(self, path: str, pause: float) -> None:
        super().__init__(daemon=True)
        self._pause = pause
        self._stopping = threading.Event()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with contextlib.suppress(PermissionError):  # beyond what the kernel allows a user
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def run(self) -> None:
        """Read, and forget."""
        buffer = bytearray(_PIPE_BYTES)
        readable = select.poll()
        readable.register(self._descriptor, select.POLLIN)
        while True:
            try:
                size = os.readv(self._descriptor, [buffer])
                if not size:
                    break
            except BlockingIOError:
                if self._stopping.is_set():
                    break
                readable.poll(100)
                continue
            if self._pause and size < _PIPE_BYTES // 2:
                self._stopping.wait(self._pause)
        os.close(self._descriptor)

    def stop(self) -> None:
        """Read what is left, and end."""
        self._stopping.set()
        self.join()


class Handler(BaseHTTPRequestHandler):
    """Answers the engine's requests."""

    protocol_version = "HTTP/1.1"
    drains: dict[str, Drain] = {}  # noqa: RUF012 - of the process: a handler is made for each connection

    def do_POST(self) -> None:
        """Do what the path says."""
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = json.dumps(self._answer(self.path, json.loads(asked or b"{}"))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing: its base class would print each request."""

    def _answer(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/Plugin.Activate":
                return {"Implements": ["LogDriver"]}
            case "/LogDriver.Capabilities":
                return {"Cap": {"ReadLogs": False}}
            case "/LogDriver.StartLogging":
                pause = float((asked["Info"].get("Config") or {}).get(PAUSE_OPTION, PAUSE))
                self.drains[asked["File"]] = drain = Drain(asked["File"], pause)
                drain.start()
            case "/LogDriver.StopLogging":
                if known := self.drains.pop(asked.get("File", ""), None):
                    known.stop()
        return {"Err": ""}


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
