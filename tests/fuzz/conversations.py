"""Servers that speak a binary protocol soundly until one of their answers is changed: one per protocol.

Each is called with what a client has sent so far on a connection, and returns the answers that this calls for, one by
one, from the beginning on.
"""

import re
import struct
from collections.abc import Callable, Iterator

from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded
from pamqp import commands, frame
from pamqp.base import Frame

Answers = Callable[[bytes], list[bytes]]


def redis(sent: bytes) -> list[bytes]:
    """Take each command; a script returns what it has added."""
    known = {b"EVALSHA": b"$3\r\n1-1\r\n", b"WAIT": b":1\r\n", b"CLUSTER": CLUSTER}
    called = re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n", sent)
    return [known.get(command, b"+OK\r\n") for command in called]


CLUSTER = b"*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:1\r\n$1\r\na\r\n"


NO_MESSAGE = b'{"error":{"code":404,"err_code":10037,"description":"no message found"}}'


def nats(sent: bytes) -> list[bytes]:
    """Greet, and acknowledge each message."""
    made = [b'INFO {"server_id":"A","version":"2.10.0","max_payload":1048576,"headers":true,"jetstream":true}\r\n']
    number = 0
    for line in sent.split(b"\r\n"):
        words = line.split(b" ")
        if words[0] == b"PING":
            made.append(b"PONG\r\n")
        elif words[0] in (b"PUB", b"HPUB") and len(words) >= 4:
            number += 1
            answer = NO_MESSAGE if b"MSG.GET" in words[1] else b'{"stream":"logs","seq":%d,"streams":["logs"]}' % number
            made.append(b"MSG %b 1 %d\r\n%b\r\n" % (words[2], len(answer), answer))
    return made


def amqp(sent: bytes) -> list[bytes]:
    """Open connection and channel, and confirm each message."""
    made = []
    position = 8
    if len(sent) < position:
        return []
    made.append(_frame(commands.Connection.Start(0, 9, {"capabilities": {"publisher_confirms": True}}, "PLAIN"), 0))
    count = 0
    while position < len(sent):
        size, channel, found = frame.unmarshal(sent[position:])
        if not size:
            break
        position += size
        match found:
            case commands.Connection.StartOk():
                made.append(_frame(commands.Connection.Tune(2047, 131_072, 60), 0))
            case commands.Connection.Open():
                made.append(_frame(commands.Connection.OpenOk(), 0))
            case commands.Channel.Open():
                made.append(_frame(commands.Channel.OpenOk(), channel))
            case commands.Confirm.Select():
                made.append(_frame(commands.Confirm.SelectOk(), channel))
            case commands.Basic.Publish():
                count += 1
                made.append(_frame(commands.Basic.Ack(count), channel))
            case commands.Connection.Close():
                made.append(_frame(commands.Connection.CloseOk(), 0))
            case commands.Channel.Close():
                made.append(_frame(commands.Channel.CloseOk(), channel))
    return made


def _frame(command: Frame, channel: int) -> bytes:
    content: bytes = frame.marshal(command, channel)
    return content


APIS = [(0, 0, 8), (3, 0, 5), (10, 0, 2), (18, 0, 2), (22, 0, 1)]


def kafka(sent: bytes) -> list[bytes]:
    """Name the versions, and a cluster of one broker that nobody finds."""
    made = []
    for request in _kafka_requests(sent):
        api, _, correlation = struct.unpack_from(">hhi", request)
        if api == 18:
            body = ApiVersionResponse_v0(0, APIS).encode()
        elif api == 3:
            topics = [(0, "logs", False, [(0, 0, 0, [0], [0])])]
            body = MetadataResponse_v1([(0, "127.0.0.1", 1, None)], 0, topics).encode()
        else:
            body = b"\0" * 20
        content = struct.pack(">i", correlation) + body
        made.append(struct.pack(">i", len(content)) + content)
    return made


def _kafka_requests(sent: bytes) -> Iterator[bytes]:
    while len(sent) >= 12:
        size = int.from_bytes(sent[:4])
        yield sent[4 : 4 + size]
        sent = sent[4 + size :]


def grpc(sent: bytes) -> list[bytes]:
    """Take each request."""
    connection = H2Connection(H2Configuration(client_side=False))
    connection.initiate_connection()
    made = [connection.data_to_send()]
    for event in connection.receive_data(sent):
        if isinstance(event, RequestReceived):
            connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/grpc")])
        elif isinstance(event, StreamEnded):
            connection.send_data(event.stream_id, b"\0" * 5)
            connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)
        made.append(connection.data_to_send())
    return [answer for answer in made if answer]
