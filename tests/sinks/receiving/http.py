"""The HTTP that receivers speak, whatever is in the requests' bodies."""

import http.client
import json
import socket
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from email.message import Message

import zstandard

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Protocol, Receiver

Decode = Callable[[bytes], list[Received]]
Choose = Callable[[Receiver, list[Received]], tuple[int, list[Received]]]


@dataclass(frozen=True)
class Request:
    """What was asked; the body is not compressed any more."""

    method: str
    target: str
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered, and the records that were taken in."""

    status: int
    body: bytes = b"{}"
    taken: Sequence[Received] = ()


Application = Callable[[Receiver, Request], Reply]


def all_or_nothing(receiver: Receiver, records: list[Received]) -> tuple[int, list[Received]]:
    """Refuse a request for one record of it that is refused."""
    if receiver.refused and any(receiver.refused in record.line for record in records):
        return 400, []
    return 200, records


def http_server(
    decode: Decode, acknowledge: Callable[[int], bytes] = lambda _: b"", choose: Choose = all_or_nothing
) -> Protocol:
    """Speak HTTP: each request is decoded, kept, and answered by 200 and what ``acknowledge`` says of its number.

    ``choose`` says which of its records are kept, and with what status it is answered.
    """

    def answer(receiver: Receiver, request: Request) -> Reply:
        status, taken = choose(receiver, decode(request.body))
        if status != 200:
            return Reply(status, taken=taken)
        return Reply(200, acknowledge(receiver.requests + 1) or b'{"text":"Success"}', taken)

    return http_application(answer)


def http_application(answer: Application) -> Protocol:
    """Speak HTTP: each request is answered as a function says, or as the test wants it to fail."""

    def serve(receiver: Receiver, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as stream:
            while True:
                receiver.pause()
                line = stream.readline()
                if not line:
                    return
                headers = http.client.parse_headers(stream)
                body = stream.read(int(headers["Content-Length"]))
                receiver.pause()
                time.sleep(receiver.delay)
                method, target, _ = line.decode().split()
                if target.partition("?")[0].endswith("/ack"):
                    acks = {str(ack): True for ack in json.loads(body)["acks"]}
                    connection.sendall(_response(200, json.dumps({"acks": acks}).encode()))
                    continue
                status = receiver.answers.popleft() if receiver.answers else 200
                request = Request(method, target, headers, _plain(body, headers["Content-Encoding"]))
                reply = answer(receiver, request) if status == 200 else Reply(status)
                receiver.take(replace(record, connection=number) for record in reply.taken)
                if reply.status != 200:
                    shown = line + str(headers).encode() if receiver.echo else reply.body
                    connection.sendall(_response(reply.status, shown))
                    continue
                receiver.requests += 1
                content = _response(200, reply.body)
                if receiver.breaks:
                    receiver.breaks -= 1
                    connection.sendall(content[:-3])
                    return
                connection.sendall(content)

    return serve


def _response(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        http.client.responses[status].encode(),
        len(body),
        body,
    )


def _plain(body: bytes, encoding: str | None) -> bytes:
    if encoding == "gzip":
        return zlib.decompress(body, wbits=31)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body
