"""Which node of a cluster has a key.

Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (key distribution model, hash tags).
"""

from binascii import crc_hqx
from collections.abc import Iterable
from typing import Any

from plugin.sinks.transport.dial import Address

_SLOTS = 16_384


def slot_of(key: bytes) -> int:
    """Return the slot of a key: CRC-16 (XMODEM) of what is in its first braces, or of all of it."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % _SLOTS


def read_slots(reply: Iterable[Any], asked: Address) -> dict[int, Address]:
    """Read the reply to CLUSTER SLOTS: the master of each slot that has one.

    A node that does not know its own name is at the address that was ``asked``.
    """
    masters: dict[int, Address] = {}
    for first, last, (host, port, *_), *_ in reply:
        address = Address((host or b"").decode() or asked.host, int(port))
        masters.update(dict.fromkeys(range(first, last + 1), address))
    return masters


def redirected(text: str, asked: Address) -> Address:
    """Read where MOVED or ASK leads: ``MOVED 3999 127.0.0.1:6381``."""
    host, _, port = text.split()[2].rpartition(":")
    return Address(host.removeprefix("[").removesuffix("]") or asked.host, int(port))
