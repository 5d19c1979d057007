"""The Forward protocol, version 1, of Fluentd and Fluent Bit: messages of packed entries, acknowledgements, handshake.

Source: the ``Forward Protocol Specification v1`` in fluent/forward-protocol (formerly fluentd's wiki).
"""

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgpack

from plugin.config.secrets import Secret

_COMPRESSION_LEVEL = 4
_ID_BYTES = 16
_LONGEST_ANSWER = 65_536


def chunk_id(*names: object) -> str:
    """Make the id of a chunk from what names its records for good: the same chunk has the same id when sent again."""
    digest = hashlib.blake2b("\0".join(map(str, names)).encode(errors="replace"), digest_size=_ID_BYTES).digest()
    return b64encode(digest).decode()


def message(tag: str, entries: bytes, count: int, *, chunk: str | None, compress: bool) -> bytes:
    """Make a message in PackedForward or CompressedPackedForward mode; a ``chunk`` asks for an acknowledgement."""
    option: dict[str, Any] = {} if chunk is None else {"chunk": chunk}
    option["size"] = count
    if compress:
        entries = gzip.compress(entries, _COMPRESSION_LEVEL, mtime=0)
        option["compressed"] = "gzip"
    packed: bytes = msgpack.packb((tag, entries, option), unicode_errors="replace")
    return packed


def chunks(payload: bytes) -> Iterator[tuple[str, memoryview]]:
    """Take a payload of messages apart again: the id of each chunk, and the message."""
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=len(payload))
    unpacker.feed(payload)
    start = 0
    for _, _, option in unpacker:
        end = unpacker.tell()
        yield option["chunk"], memoryview(payload)[start:end]
        start = end


class AnswerError(Exception):
    """A server's answer that is not of this protocol."""


class Answers:
    """Puts the server's messages together from what is read. Strings are bytes, since salts are sent as such."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(raw=True, max_buffer_size=_LONGEST_ANSWER, strict_map_key=False)

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take bytes, and yield the messages that are complete; raises `AnswerError` for bytes that are none."""
        try:
            self._unpacker.feed(data)
            yield from self._unpacker
        except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
            raise AnswerError(type(error).__name__) from error


@dataclass(frozen=True, slots=True)
class Helo:
    """The server's greeting where it wants a shared key."""

    nonce: bytes
    auth: bytes
    """The salt for the password; empty where the server wants no user."""
    keepalive: bool
    """Whether more than one message may be sent over a connection."""


def read_ack(answer: Any) -> str | None:
    """Return the id of the chunk that is acknowledged, None for another answer."""
    chunk = answer.get(b"ack") if isinstance(answer, dict) else None
    return chunk.decode(errors="replace") if isinstance(chunk, bytes) else None


def read_helo(answer: Any) -> Helo | None:
    """Return the greeting, None for another answer."""
    match answer:
        case [b"HELO", {b"nonce": bytes(nonce), **options}]:
            auth = options.get(b"auth")
            return Helo(nonce, auth if isinstance(auth, bytes) else b"", options.get(b"keepalive") is not False)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client shows in the handshake."""

    host: str
    shared_key: Secret
    username: str
    password: Secret


def ping(helo: Helo, credentials: Credentials, salt: str) -> bytes:
    """Answer the greeting. All is packed as strings, and the salt is text: Fluent Bit takes nothing else."""
    password = ""
    if helo.auth:
        password = _digest(helo.auth, credentials.username.encode(), credentials.password.reveal().encode())
    key = _digest(salt.encode(), credentials.host.encode(), helo.nonce, credentials.shared_key.reveal().encode())
    packed: bytes = msgpack.packb(("PING", credentials.host, salt, key, credentials.username, password))
    return packed


def pong_fault(answer: Any, helo: Helo, credentials: Credentials, salt: str) -> str:
    """Describe why the handshake failed, nothing if it did not; raises `AnswerError` for another message."""
    match answer:
        case [b"PONG", True, _, bytes(host), bytes(key)]:
            expected = _digest(salt.encode(), host, helo.nonce, credentials.shared_key.reveal().encode())
            return "" if key == expected.encode() else "it does not know the shared key itself"
        case [b"PONG", False, bytes(reason), *_]:
            return reason.decode(errors="replace") or "it gives no reason"
        case _:
            raise AnswerError("it is no PONG")


def _digest(*parts: bytes) -> str:
    return hashlib.sha512(b"".join(parts)).hexdigest()
