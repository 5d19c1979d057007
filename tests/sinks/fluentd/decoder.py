"""Messages of the Forward protocol, taken apart as a server does."""

import gzip
from typing import Any

import msgpack


def decode(payload: bytes) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Return the messages of a payload: tag, entries and option of each."""
    unpacker = msgpack.Unpacker(raw=False)
    unpacker.feed(payload)
    messages = []
    for tag, entries, option in unpacker:
        stream = msgpack.Unpacker(raw=False, max_buffer_size=2**31 - 1, object_pairs_hook=_without_duplicates)
        stream.feed(gzip.decompress(entries) if option.get("compressed") == "gzip" else entries)
        messages.append((tag, list(stream), option))
    return messages


def _without_duplicates(pairs: list[tuple[str, str]]) -> dict[str, str]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)
