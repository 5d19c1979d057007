"""Receivers that only count: a process of their own on the loopback, cheap enough not to be the limit."""

import mmap
import os
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.machine import REPOSITORY

MARKER = b"peavey-bench"
"""What each line that is printed has in it once: the receivers count that."""

_FORM = struct.Struct("=qqq")
_POLL_SECONDS = 0.01
_STOP_SECONDS = 120.0


class LinesMissingError(Exception):
    """Lines did not arrive in time; the message says how many did."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What has arrived so far: lines, bytes as they came over the network, and requests where there are such."""

    lines: int
    bytes: int
    requests: int


class Tally:
    """Counts that two processes see: they lie in memory which both have mapped."""

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, _FORM.size)
        self._lines = self._bytes = self._requests = 0

    def add(self, lines: int, size: int, requests: int) -> None:
        """Add to them; only one process may do so."""
        self._lines += lines
        self._bytes += size
        self._requests += requests
        _FORM.pack_into(self._map, 0, self._lines, self._bytes, self._requests)

    def read(self) -> Counts:
        """Return them as they are now."""
        return Counts(*_FORM.unpack_from(self._map))

    def close(self) -> None:
        """Unmap the memory."""
        self._map.close()


class Receiver:
    """A receiver of one kind, a name of `bench.receiver.protocols`; use it as a context manager."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __enter__(self) -> Self:
        """Start it; it listens at `port`."""
        descriptor = os.memfd_create("counts")
        os.ftruncate(descriptor, _FORM.size)
        self._tally = Tally(descriptor)
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            self.port: int = listener.getsockname()[1]
            inherited = (listener.fileno(), descriptor)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.receiver", self.kind, *map(str, inherited)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                pass_fds=inherited,
            )
        os.close(descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(_STOP_SECONDS)
        self._tally.close()

    @property
    def pid(self) -> int:
        """The id of the receiver's process."""
        return self._process.pid

    @property
    def counts(self) -> Counts:
        """What has arrived, since its start."""
        return self._tally.read()

    def wait_for(self, lines: int, seconds: float) -> float:
        """Wait until so many lines have arrived since its start; return the moment, of the monotonic clock.

        Raises LinesMissingError when they do not within so many seconds.
        """
        deadline = time.monotonic() + seconds
        while (arrived := self.counts.lines) < lines:
            if self._process.poll() is not None:
                raise LinesMissingError(f"the {self.kind} receiver ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                raise LinesMissingError(f"{arrived:,} of {lines:,} lines arrived at the {self.kind} receiver")
            time.sleep(_POLL_SECONDS)
        return time.monotonic()
