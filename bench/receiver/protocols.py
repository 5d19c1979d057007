"""What the receivers speak: bytes of a connection in, the number of lines in them and the answer out."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cramjam
import msgpack
import zstandard

from bench.receiver import MARKER

_END_OF_HEAD = b"\r\n\r\n"
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_SUCCESS = b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + b'{"text":"Success","code":0}'


@dataclass(frozen=True, slots=True)
class Taken:
    """What a piece of a connection's bytes brought: lines, complete requests, and what to answer."""

    lines: int
    requests: int = 0
    answer: bytes = b""


class Connection(Protocol):
    """One connection of a receiver."""

    def feed(self, piece: bytes) -> Taken:
        """Take the bytes that came next."""


class Plain:
    """A protocol without answers: syslog and GELF over TCP, Fluentd's Forward without acknowledgements."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Taken:
        """Count markers, also one that came in two pieces."""
        text = self._rest + piece
        self._rest = text[-(len(MARKER) - 1) :]
        return Taken(text.count(MARKER))


class Http:
    """HTTP/1.1 with bodies of a stated length, whatever is in them; each request is answered by the same."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._pieces = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._length = -1

    def feed(self, piece: bytes) -> Taken:
        """Count the markers in the bodies that are complete."""
        self._pieces += piece
        lines = requests = 0
        while (body := self._next_body()) is not None:
            lines += decompressed(body, self._headers).count(MARKER)
            requests += 1
        return Taken(lines, requests, self._answer * requests)

    def _next_body(self) -> bytes | None:
        if self._length < 0:
            head, end, rest = self._pieces.partition(_END_OF_HEAD)
            if not end:
                return None
            self._headers = headers(bytes(head))
            self._length = int(self._headers.get(b"content-length", b"0"))
            self._pieces = rest
        if len(self._pieces) < self._length:
            return None
        body = bytes(self._pieces[: self._length])
        del self._pieces[: self._length]
        self._length = -1
        return body


class Forward:
    """Fluentd's Forward protocol in PackedForward mode: each message with a chunk's name is acknowledged by it."""

    def __init__(self) -> None:
        self._messages = msgpack.Unpacker(raw=False, max_buffer_size=1 << 28)

    def feed(self, piece: bytes) -> Taken:
        """Count the markers in the messages that are complete."""
        self._messages.feed(piece)
        lines = requests = 0
        answer = b""
        for _, entries, option in self._messages:
            plain = zlib.decompress(entries, wbits=31) if option.get("compressed") == "gzip" else entries
            lines += plain.count(MARKER)
            requests += 1
            if "chunk" in option:
                answer += msgpack.packb({"ack": option["chunk"]})
        return Taken(lines, requests, answer)


def headers(head: bytes) -> dict[bytes, bytes]:
    """Read the lines after a request's first one; names in small letters."""
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}


def decompressed(body: bytes, headers: dict[bytes, bytes]) -> bytes:
    """Undo a body's compression: what its headers say, and Snappy for Loki's protobuf, which is never without."""
    encoding = headers.get(b"content-encoding", b"")
    if encoding == b"gzip":
        return zlib.decompress(body, wbits=31)
    if encoding == b"zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    if encoding == b"snappy" or headers.get(b"content-type") == b"application/x-protobuf":
        return bytes(cramjam.snappy.decompress_raw(body))
    return body


KINDS: dict[str, Callable[[], Connection]] = {
    "plain": Plain,
    "http": lambda: Http(_SUCCESS),
    "loki": lambda: Http(_NO_CONTENT),
    "forward": Forward,
}
"""The kinds of receivers, by the names that they are started with."""
