"""The receivers that count: every marked line once, however it comes over the network."""

import gzip
import socket
import struct

import cramjam
import msgpack
import pytest
import zstandard

from bench.receiver import MARKER, LinesMissingError, Receiver
from bench.receiver.protocols import KINDS, Taken
from plugin.sinks.redis.encoder import pack

LINE = MARKER + b" and more\n"


def request(body: bytes, *headers: bytes) -> bytes:
    head = [b"POST /push HTTP/1.1", b"Host: localhost", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@pytest.mark.parametrize("size", [1, 5, len(MARKER), 1000])
def test_lines_are_counted_once_in_pieces_of_any_size(size: int) -> None:
    connection = KINDS["plain"]()
    text = LINE * 20
    assert sum(connection.feed(text[at : at + size]).lines for at in range(0, len(text), size)) == 20


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_requests_are_counted_and_answered_in_pieces_of_any_size(size: int) -> None:
    connection = KINDS["loki"]()
    bodies = [bytes(cramjam.snappy.compress_raw(LINE * lines)) for lines in (3, 0, 1)]
    text = b"".join(map(request, bodies))
    taken = [connection.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert sum(piece.lines for piece in taken) == 4
    assert sum(piece.requests for piece in taken) == 3
    assert b"".join(piece.answer for piece in taken) == b"HTTP/1.1 204 No Content\r\n\r\n" * 3


@pytest.mark.parametrize(
    ("body", "header"),
    [
        (LINE * 3, b"Content-Type: application/json"),
        (gzip.compress(LINE * 3), b"Content-Encoding: gzip"),
        (zstandard.compress(LINE * 3), b"content-encoding: zstd"),
    ],
    ids=["plain", "gzip", "zstd"],
)
def test_compressed_bodies_are_counted(body: bytes, header: bytes) -> None:
    assert KINDS["http"]().feed(request(body, header)) == Taken(
        3, 1, b'HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{"text":"Success","code":0}'
    )


def test_bodies_that_do_not_say_how_they_are_compressed_are_counted() -> None:
    body = bytes(cramjam.snappy.compress_raw(LINE * 3))
    assert KINDS["loki"]().feed(request(body)) == Taken(3, 1, b"HTTP/1.1 204 No Content\r\n\r\n")


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_each_document_of_a_bulk_request_is_answered(size: int) -> None:
    connection = KINDS["elasticsearch"]()
    text = request(LINE * 2) + request(LINE)
    taken = [connection.feed(text[at : at + size]) for at in range(0, len(text), size)]
    answers = b"".join(piece.answer for piece in taken)
    assert sum(piece.requests for piece in taken) == 2
    assert [answer.count(b"201") for answer in answers.split(b"HTTP/1.1 200 OK")[1:]] == [2, 1]


def test_a_receiver_counts_over_all_its_connections() -> None:
    with Receiver("plain") as receiver:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
                connection.sendall(LINE * 100)
        receiver.wait_for(300, seconds=120)
        assert receiver.counts.bytes == 300 * len(LINE)


def test_lines_that_do_not_arrive_are_missed() -> None:
    with Receiver("plain") as receiver, pytest.raises(LinesMissingError, match="0 of 1 lines"):
        receiver.wait_for(1, seconds=0.05)


@pytest.mark.parametrize("size", [1, 100, 100_000])
@pytest.mark.parametrize("compressed", [False, True])
def test_messages_of_the_forward_protocol_are_counted_and_acknowledged(size: int, compressed: bool) -> None:
    def message(chunk: str, lines: int) -> bytes:
        entries = LINE * lines
        option = {"chunk": chunk, "size": lines} | ({"compressed": "gzip"} if compressed else {})
        packed: bytes = msgpack.packb(("tag", gzip.compress(entries) if compressed else entries, option))
        return packed

    connection = KINDS["forward"]()
    text = message("one", 3) + message("two", 1)
    taken = [connection.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert sum(piece.lines for piece in taken) == 4
    assert sum(piece.requests for piece in taken) == 2
    answers = msgpack.Unpacker()
    answers.feed(b"".join(piece.answer for piece in taken))
    assert list(answers) == [{"ack": "one"}, {"ack": "two"}]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_commands_of_redis_are_counted_in_pieces_of_any_size(size: int) -> None:
    connection = KINDS["redis"]()
    text = pack(b"EVALSHA", LINE, b"x", LINE) + pack(b"SCRIPT", b"LOAD", b"x")
    taken = [connection.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert sum(piece.lines for piece in taken) == 2
    assert b"".join(piece.answer for piece in taken) == b":1\r\n:1\r\n"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_messages_of_nats_are_counted_in_pieces_of_any_size(size: int) -> None:
    connection = KINDS["nats"]()
    header = b"NATS/1.0\r\na: b\r\n\r\n"
    text = b"CONNECT {}\r\nPING\r\nSUB inbox.* 5\r\n"
    text += b"HPUB logs.a inbox.1 %d %d\r\n%b%b\r\n" % (len(header), len(header + LINE), header, LINE)
    text += b"PUB logs.a inbox.2 %d\r\n%b\r\n" % (len(LINE * 2), LINE * 2)
    taken = [connection.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert sum(piece.lines for piece in taken) == 3
    assert b"".join(piece.answer for piece in taken) == (
        b'PONG\r\nMSG inbox.1 5 25\r\n{"stream":"logs","seq":1}\r\nMSG inbox.2 5 25\r\n{"stream":"logs","seq":2}\r\n'
    )


def batch_of_kafka(attributes: int, records: bytes) -> bytes:
    """Make a request to produce a batch of three records."""
    batch = b"\0" * 21 + struct.pack(">h", attributes) + b"\0" * 34 + struct.pack(">i", 3) + records
    body = struct.pack(">hhiih4siii", -1, -1, 1000, 1, 4, b"logs", 1, 0, len(batch)) + batch
    request = struct.pack(">hhih6s", 0, 3, 7, 6, b"peavey") + body
    return struct.pack(">i", len(request)) + request


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_batches_of_kafka_are_counted_in_pieces_of_any_size(size: int) -> None:
    connection = KINDS["kafka"]()
    lz4 = bytes(cramjam.lz4.compress(LINE * 3))
    text = batch_of_kafka(0, LINE * 2) + batch_of_kafka(3, lz4) + batch_of_kafka(4, zstandard.compress(LINE))
    taken = [connection.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert sum(piece.lines for piece in taken) == 6
    assert sum(piece.requests for piece in taken) == 3
    stored = [struct.pack(">iiih4siihqqi", 44, 7, 1, 4, b"logs", 1, 0, 0, at, -1, 0) for at in (0, 3, 6)]
    assert b"".join(piece.answer for piece in taken) == b"".join(stored)
