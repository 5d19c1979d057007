"""The HTTP that receivers speak, whatever is in the requests' bodies."""

import http.client
import json
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import replace

import zstandard

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Protocol, Receiver

Decode = Callable[[bytes], list[Received]]


def http_server(decode: Decode, acknowledge: Callable[[int], bytes] = lambda _: b"") -> Protocol:
    """Speak HTTP: each request is decoded, kept, and answered by 200 and what ``acknowledge`` says of its number."""

    def serve(receiver: Receiver, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as stream:
            while True:
                receiver.pause()
                request = stream.readline()
                if not request:
                    return
                headers = http.client.parse_headers(stream)
                body = stream.read(int(headers["Content-Length"]))
                receiver.pause()
                time.sleep(receiver.delay)
                if request.split()[1].partition(b"?")[0].endswith(b"/ack"):
                    acks = {str(ack): True for ack in json.loads(body)["acks"]}
                    connection.sendall(_response(200, json.dumps({"acks": acks}).encode()))
                    continue
                status = receiver.answers.popleft() if receiver.answers else 200
                records = decode(_plain(body, headers["Content-Encoding"]))
                if receiver.refused and any(receiver.refused in record.line for record in records):
                    status = 400
                if status != 200:
                    connection.sendall(_response(status, request + str(headers).encode() if receiver.echo else b"{}"))
                    continue
                receiver.requests += 1
                receiver.take(replace(record, connection=number) for record in records)
                answer = _response(200, acknowledge(receiver.requests) or b'{"text":"Success"}')
                if receiver.breaks:
                    receiver.breaks -= 1
                    connection.sendall(answer[:-3])
                    return
                connection.sendall(answer)

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
