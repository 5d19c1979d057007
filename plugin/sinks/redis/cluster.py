"""Which node of a cluster has a key.

Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (key distribution model, hash tags).
"""

from binascii import crc_hqx
from typing import Any

from plugin.sinks.transport.dial import Address

_SLOTS = 16_384
_LONGEST = 200


def slot_of(key: bytes) -> int:
    """Return the slot of a key: CRC-16 (XMODEM) of what is in its first braces, or of all of it."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % _SLOTS


def read_slots(reply: Any, asked: Address) -> dict[int, Address]:
    """Read the reply to CLUSTER SLOTS: the master of each slot that has one.

    A node that does not know its own name is at the address that was ``asked``. Raises ``ValueError`` for anything else
    than such a reply.
    """
    masters: dict[int, Address] = {}
    try:
        for first, last, (host, port, *_), *_ in reply:
            if not 0 <= first <= last < _SLOTS:
                raise ValueError(f"slots from {first} to {last}, of {_SLOTS}")
            masters.update(dict.fromkeys(range(first, last + 1), _address((host or b"").decode(), port, asked)))
    except (TypeError, AttributeError) as error:
        raise ValueError("not what CLUSTER SLOTS is answered with") from error
    return masters


def redirected(text: str, asked: Address) -> Address:
    """Read where MOVED or ASK leads: ``MOVED 3999 127.0.0.1:6381``. Raises ``ValueError`` if that is not said."""
    words = text.split()
    if len(words) < 3:
        raise ValueError(f"no address in {text[:_LONGEST]!r}")
    host, _, port = words[2].rpartition(":")
    return _address(host.removeprefix("[").removesuffix("]"), int(port[:_LONGEST]), asked)


def _address(host: str, port: int, asked: Address) -> Address:
    if not 0 < port < 65_536:
        raise ValueError(f"port {port}")
    return Address(host or asked.host, port)
