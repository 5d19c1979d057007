"""What the receivers speak: bytes of a connection in, the number of lines in them and the answer out."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cramjam
import hiredis
import msgpack
import zstandard

from bench.receiver import MARKER

_END_OF_HEAD = b"\r\n\r\n"
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_SUCCESS = b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"text":"Success","code":0}'


_SIZE = struct.Struct(">i")
_KAFKA_HEAD = struct.Struct(">hhih")
_PRODUCE, _METADATA, _API_VERSIONS, _INIT_PRODUCER_ID = 0, 3, 18, 22
_KAFKA_VERSIONS = ((_PRODUCE, 3, 3), (_METADATA, 1, 1), (_API_VERSIONS, 0, 0), (_INIT_PRODUCER_ID, 0, 0))
_KAFKA_COMPRESSIONS = (b"", b"gzip", b"", b"lz4", b"zstd")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a piece of a connection's bytes brought: lines, complete requests, and what to answer."""

    lines: int
    requests: int = 0
    answer: bytes = b""


class Connection(Protocol):
    """One connection of a receiver, which begins with its greeting."""

    greeting: bytes

    def feed(self, piece: bytes) -> Taken:
        """Take the bytes that came next."""


class Redis:
    """Redis, as far as the sink of that name needs it: whatever it is asked to run, it has added one entry."""

    greeting = b""

    def __init__(self) -> None:
        self._commands = hiredis.Reader()

    def feed(self, piece: bytes) -> Taken:
        """Count the markers in the commands that are complete."""
        self._commands.feed(piece)
        lines = requests = 0
        while (command := self._commands.gets()) is not False:
            lines += sum(MARKER in argument for argument in command)
            requests += 1
        return Taken(lines, requests, b":1\r\n" * requests)


class Nats:
    """NATS JetStream, as far as the sink of that name needs it: every message is stored."""

    greeting = b'INFO {"version":"2.9.10","max_payload":1048576,"headers":true,"jetstream":true,"proto":1}\r\n'

    def __init__(self) -> None:
        self._rest = b""
        self._sid = b"1"
        self._sequence = 0

    def feed(self, piece: bytes) -> Taken:
        """Count the markers in the messages that are complete, and answer them."""
        buffer = self._rest + piece
        position = lines = requests = 0
        answers = []
        while (end := buffer.find(b"\r\n", position)) >= 0:
            words = buffer[position:end].split()
            behind = end + 2
            if words and words[0] in {b"PUB", b"HPUB"}:
                size = int(words[-1])
                if len(buffer) < behind + size + 2:
                    break
                lines += buffer[behind : behind + size].count(MARKER)
                requests += 1
                answers.append(self._answer(words[1], words[2]))
                behind += size + 2
            elif words and words[0] == b"SUB":
                self._sid = words[-1]
            elif words == [b"PING"]:
                answers.append(b"PONG\r\n")
            position = behind
        self._rest = buffer[position:]
        return Taken(lines, requests, b"".join(answers))

    def _answer(self, subject: bytes, reply: bytes) -> bytes:
        if subject == b"$JS.API.STREAM.NAMES":
            text = b'{"streams":["logs"]}'
        elif subject.startswith(b"$JS.API."):
            text = b'{"error":{"code":404,"err_code":10037,"description":"no message found"}}'
        else:
            self._sequence += 1
            text = b'{"stream":"logs","seq":%d}' % self._sequence
        return b"MSG %b %b %d\r\n%b\r\n" % (reply, self._sid, len(text), text)


class Kafka:
    """A Kafka broker, as far as the sink of that name needs it: one partition, and every batch is stored.

    Source: https://kafka.apache.org/protocol.html. It offers the oldest versions that can be idempotent.
    """

    greeting = b""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._rest = b""
        self._offset = 0

    def feed(self, piece: bytes) -> Taken:
        """Count the markers in the requests that are complete, and answer them."""
        buffer = self._rest + piece
        position = lines = requests = 0
        answers = []
        while len(buffer) - position >= _SIZE.size:
            (size,) = _SIZE.unpack_from(buffer, position)
            end = position + _SIZE.size + size
            if len(buffer) < end:
                break
            key, _, number, length = _KAFKA_HEAD.unpack_from(buffer, position + _SIZE.size)
            body = memoryview(buffer)[position + _SIZE.size + _KAFKA_HEAD.size + max(0, length) : end]
            answer = _SIZE.pack(number)
            if key == _PRODUCE:
                count, stored = self._produce(body)
                lines += count
                requests += 1
                answer += stored
            else:
                answer += self._about(key, body)
            answers.append(_SIZE.pack(len(answer)) + answer)
            position = end
        self._rest = buffer[position:]
        return Taken(lines, requests, b"".join(answers))

    def _about(self, key: int, body: memoryview) -> bytes:
        if key == _API_VERSIONS:
            offered = [struct.pack(">hhh", *each) for each in _KAFKA_VERSIONS]
            return struct.pack(">hi", 0, len(offered)) + b"".join(offered)
        if key == _INIT_PRODUCER_ID:
            return struct.pack(">ihqh", 0, 0, 1, 0)
        names = _kafka_texts(body)
        broker = struct.pack(">ii", 1, 0) + _kafka_text(b"127.0.0.1") + struct.pack(">ih", self._port, -1)
        partition = struct.pack(">ihiiiiii", 1, 0, 0, 0, 1, 0, 1, 0)
        topics = [struct.pack(">h", 0) + _kafka_text(name) + b"\0" + partition for name in names]
        return broker + struct.pack(">ii", 0, len(topics)) + b"".join(topics)

    def _produce(self, body: memoryview) -> tuple[int, bytes]:
        """Count the markers in a batch for one partition of one topic, and answer that it is stored."""
        head = struct.Struct(">hhii")  # no transaction, acks, time limit, one topic
        (length,) = struct.unpack_from(">h", body, head.size)
        topic = bytes(body[head.size + 2 : head.size + 2 + length])
        batch = body[head.size + 2 + length + struct.calcsize(">iii") :]
        attributes, records = struct.unpack_from(">h", batch, 21)[0], bytes(batch[61:])
        offset, self._offset = self._offset, self._offset + struct.unpack_from(">i", batch, 57)[0]
        stored = struct.pack(">ihqq", 0, 0, offset, -1)
        answer = struct.pack(">i", 1) + _kafka_text(topic) + struct.pack(">i", 1) + stored + struct.pack(">i", 0)
        compression = _KAFKA_COMPRESSIONS[attributes & 7]
        return (decompressed(records, compression) if compression else records).count(MARKER), answer


class Plain:
    """A protocol without answers: syslog and GELF over TCP, Fluentd's Forward without acknowledgements."""

    greeting = b""

    def __init__(self) -> None:
        self._text = _Text()

    def feed(self, piece: bytes) -> Taken:
        """Count the markers."""
        return Taken(self._text.count(piece, ended=False))


class Http:
    """HTTP/1.1 with bodies of a stated length, whatever is in them.

    ``answer`` makes the answer to a request of the number of lines in it; ``compression`` is how bodies are compressed
    that do not say.
    """

    greeting = b""

    def __init__(self, answer: Callable[[int], bytes], compression: bytes = b"") -> None:
        self._answer = answer
        self._compression = compression
        self._head = b""
        self._body: _Text | _Packed | None = None
        self._left = 0
        self._lines = 0

    def feed(self, piece: bytes) -> Taken:
        """Count the markers; those of a compressed body when all of it is there."""
        lines = requests = 0
        answer = b""
        while piece:
            body = self._body
            if body is None:
                head, end, rest = (self._head + piece).partition(_END_OF_HEAD)
                if not end:
                    self._head = head
                    break
                self._head = b""
                self._lines = 0
                self._body = body = self._begin_body(headers(head))
                piece = rest
            part, piece = piece[: self._left], piece[self._left :]
            self._left -= len(part)
            found = body.count(part, ended=not self._left)
            lines += found
            self._lines += found
            if self._left:
                break
            self._body = None
            requests += 1
            answer += self._answer(self._lines)
        return Taken(lines, requests, answer)

    def _begin_body(self, found: dict[bytes, bytes]) -> "_Text | _Packed":
        self._left = int(found.get(b"content-length", b"0"))
        compression = found.get(b"content-encoding", self._compression)
        return _Packed(compression) if compression else _Text()


class _Text:
    """A count of the markers in a text that comes in pieces, including markers that two pieces share."""

    def __init__(self) -> None:
        self._rest = b""

    def count(self, piece: bytes, *, ended: bool) -> int:
        seam = self._rest + piece[: len(MARKER) - 1]
        self._rest = b"" if ended else (self._rest + piece[-len(MARKER) :])[-(len(MARKER) - 1) :]
        return seam.count(MARKER) + piece.count(MARKER)


class _Packed:
    """A count of the markers in a compressed body, once it is complete."""

    def __init__(self, compression: bytes) -> None:
        self._compression = compression
        self._pieces: list[bytes] = []

    def count(self, piece: bytes, *, ended: bool) -> int:
        self._pieces.append(piece)
        return decompressed(b"".join(self._pieces), self._compression).count(MARKER) if ended else 0


class Forward:
    """Fluentd's Forward protocol in PackedForward mode: each message with a chunk's name is acknowledged by it."""

    greeting = b""

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


def decompressed(body: bytes, compression: bytes) -> bytes:
    """Undo a body's compression."""
    match compression:
        case b"gzip":
            return zlib.decompress(body, wbits=31)
        case b"zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
        case b"lz4":
            return bytes(cramjam.lz4.decompress(body))
        case b"snappy":
            return bytes(cramjam.snappy.decompress_raw(body))
    raise ValueError(f"a body is compressed in a way that this receiver does not know: {compression!r}")


def _kafka_text(text: bytes) -> bytes:
    return struct.pack(">h", len(text)) + text


def _kafka_texts(body: memoryview) -> list[bytes]:
    """Read an array of texts; one that is null is empty here."""
    (count,) = _SIZE.unpack_from(body)
    texts = []
    position = _SIZE.size
    for _ in range(count):
        (length,) = struct.unpack_from(">h", body, position)
        texts.append(bytes(body[position + 2 : position + 2 + length]))
        position += 2 + length
    return texts


def _ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _bulk_answer(lines: int) -> bytes:
    """Answer as Elasticsearch does when each document was created, of which the sink wants the status alone."""
    return _ok(b'{"errors":false,"items":[' + b",".join([b'{"create":{"status":201}}'] * lines) + b"]}")


KINDS: dict[str, Callable[[], Connection]] = {
    "plain": Plain,
    "http": lambda: Http(lambda _: _SUCCESS),
    "loki": lambda: Http(lambda _: _NO_CONTENT, b"snappy"),
    "elasticsearch": lambda: Http(_bulk_answer),
    "forward": Forward,
    "redis": Redis,
    "nats": Nats,
    "kafka": Kafka,
}
"""The kinds of receivers, by the names that they are started with."""


def connections(kind: str, port: int) -> Callable[[], Connection]:
    """Return what makes the connections of a receiver that listens at a port, which some tell their clients."""
    return (lambda: Kafka(port)) if KINDS[kind] is Kafka else KINDS[kind]
