"""A strict decoder of GELF 1.1, written from its specification alone (Graylog's "GELF payload specification").

It refuses what the specification forbids, and so does more than a server would.
"""

import json
import re
import zlib
from decimal import Decimal
from typing import Any

_FIELD = re.compile(r"_[\w.\-]*")
_CHUNK_HEADER = 12


class Reassembly:
    """What a GELF server does with datagrams: chunks are put together by the message's id, in any order."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._pending: dict[bytes, dict[int, bytes]] = {}

    def take(self, datagram: bytes) -> None:
        """Take one datagram."""
        assert len(datagram) <= 8192, "the largest that the specification speaks of"
        if not datagram.startswith(b"\x1e\x0f"):
            self.messages.append(decode(datagram))
            return
        name, number, count = datagram[2:10], datagram[10], datagram[11]
        assert 1 <= count <= 128
        assert number < count
        assert len(datagram) > _CHUNK_HEADER
        chunks = self._pending.setdefault(name, {})
        chunks[number] = datagram[_CHUNK_HEADER:]
        if len(chunks) == count:
            del self._pending[name]
            self.messages.append(decode(b"".join(chunks[number] for number in range(count))))

    @property
    def is_complete(self) -> bool:
        """Whether no chunk waits for others."""
        return not self._pending


def decode(message: bytes) -> dict[str, Any]:
    """Read one message, compressed or not; numbers with a fraction are exact."""
    if message.startswith(b"\x1f\x8b"):
        message = _inflate(message, 31)
    elif message.startswith(b"\x78"):
        message = _inflate(message, 15)
    fields = json.loads(message.decode(), parse_float=Decimal, object_pairs_hook=_no_name_twice)
    assert isinstance(fields, dict)
    assert fields["version"] == "1.1"
    assert isinstance(fields["host"], str)
    assert isinstance(fields["short_message"], str)
    assert isinstance(fields["timestamp"], int | Decimal)
    assert fields["level"] in range(8)
    for name, value in fields.items():
        if name not in {"version", "host", "short_message", "timestamp", "level"}:
            assert _FIELD.fullmatch(name), name
            assert name != "_id"
            assert isinstance(value, str | int | Decimal), name
    return fields


def decode_stream(stream: bytes) -> list[dict[str, Any]]:
    """Read messages over TCP: not compressed, each with a NUL at its end."""
    *messages, rest = stream.split(b"\0")
    assert rest == b""
    assert all(message.startswith(b"{") for message in messages)
    return [decode(message) for message in messages]


def _inflate(message: bytes, window: int) -> bytes:
    inflater = zlib.decompressobj(window)
    plain = inflater.decompress(message)
    assert inflater.eof
    assert not inflater.unused_data
    return plain


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)
