"""Measure how long lines that hold the time of their printing took to arrive, by ``docker logs -f`` or by HTTP."""

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE = 1 << 16
_STEP = 0.02
_IN_JSON = re.compile(rb'"log":"(\d+)"')


class NotArrivedError(Exception):
    """Lines did not arrive in time; the message says how many did."""


@dataclass
class Arrivals:
    """The seconds that each line took, in the order of arrival."""

    latencies: list[float] = field(default_factory=list)

    def note(self, printed: Iterator[bytes] | list[bytes]) -> None:
        """Note that lines have arrived now, which were printed at these times of the monotonic clock, in digits."""
        now = time.monotonic_ns()
        self.latencies += [(now - int(moment)) / 1e9 for moment in printed]

    def wait_for(self, lines: int, seconds: float) -> list[float]:
        """Return the latencies of so many lines, once they have arrived. Raises ``NotArrivedError``."""
        deadline = time.monotonic() + seconds
        while len(self.latencies) < lines:
            if time.monotonic() > deadline:
                raise NotArrivedError(f"{len(self.latencies):,} of {lines:,} lines arrived within {seconds:g} s")
            time.sleep(_STEP)
        return self.latencies


class LineSplitter:
    """A splitter of pieces of any size into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes; return the lines that they complete."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return lines


@contextmanager
def followed(process: subprocess.Popen[bytes]) -> Iterator[Arrivals]:
    """Read what a ``docker logs -f`` prints; end it afterwards."""
    arrivals = Arrivals()
    stdout = process.stdout
    if stdout is None:
        raise ValueError("the process has no pipe at its stdout")

    def read() -> None:
        splitter = LineSplitter()
        while piece := stdout.read(_PIECE):
            arrivals.note(splitter.feed(piece))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield arrivals
    finally:
        process.kill()
        process.communicate()
        thread.join()


@contextmanager
def received_by_http() -> Iterator[tuple[int, Arrivals]]:
    """Receive requests of the sink ``http``; yield the port and what has arrived."""
    arrivals = Arrivals()

    class Handler(BaseHTTPRequestHandler):
        """Record the lines of each request."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take a request."""
            arrivals.note(_IN_JSON.findall(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1], arrivals
        finally:
            server.shutdown()
            thread.join()
