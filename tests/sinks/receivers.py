"""Receivers that behave as a test tells them to, one protocol each; what arrives is decoded into `Received`.

A receiver runs in threads of the test, or as a process of its own that can be frozen and killed (`ReceiverProcess`):

    python -m tests.sinks.receivers PROTOCOL PORT OUTPUT
"""

import argparse
import contextlib
import http.client
import io
import json
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgpack
import zstandard

from tests.sinks.gelf.decoder import Reassembly, decode_stream
from tests.sinks.loki.receiver import decode_body
from tests.testbed.ports import HeldPort
from tests.testbed.server import REPOSITORY
from tests.testbed.waiting import wait_until

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_SYSLOG = re.compile(rb"<(\d+)>1 (\S+) \S+ (\S+) \d+ \S+ - (.*)", re.DOTALL)
_ERR = 3
_SO_RCVBUFFORCE = 33  # Linux, asm-generic/socket.h: as SO_RCVBUF, and the limit of the system is none for root
_ROOM = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A line, or a part of one, as a destination has it; ``time`` in nanoseconds since 1970 UTC.

    ``connection`` counts the receiver's connections, also over its restarts.
    """

    container: str
    source: str
    line: bytes
    time: int
    is_part: bool = False
    connection: int = 0


class Receiver:
    """One TCP server on the loopback, at the same port whenever it is started.

    ``answers``
        statuses of the next requests, where the protocol is HTTP
    ``breaks``
        how many of the next requests are taken in, and then cut off in the middle of the answer
    ``refused``
        a text that makes a request with it be refused for good, where the protocol can say so
    ``delay``
        seconds before each answer
    ``echo``
        whether faults answer with the request's own first line and headers, as careless servers do
    """

    def __init__(self, protocol: "Protocol", port: int = 0) -> None:
        self._held = None if port else HeldPort()
        self.port = self._held.number if self._held else port
        self.answers: deque[int] = deque()
        self.breaks = 0
        self.refused = b""
        self.delay = 0.0
        self.echo = False
        self.connections = 0
        self.requests = 0
        self._protocol = protocol
        self._received: list[Received] = []
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._open: dict[socket.socket, int] = {}
        self._numbers: dict[Any, int] = {}
        self._accepting: threading.Thread | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._held is not None:
            self._held.release()

    def start(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accepting = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Go down: nobody listens, and all connections are closed; what was taken in stays."""
        listener, self._listener = self._listener, None
        self._running.set()
        if listener is not None and self._accepting is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join()  # until then a connection may be taken that has to be closed too
            listener.close()
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def freeze(self) -> None:
        """Read nothing and answer nothing from now on; connections are still taken, as the kernel does."""
        self._running.clear()

    def thaw(self) -> None:
        """Go on."""
        self._running.set()

    def settle(self) -> int:
        """Take in all that came over connections which are closed by now; gives the number of the latest until now."""
        before = self.connections
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            name = last.getsockname()
            wait_until(lambda: self._numbers.get(name, 0) > before, "the connections until now are taken")
            number = self._numbers[name]
        wait_until(lambda: min(self._open_numbers(), default=number + 1) > number, "they are read to their ends")
        return number

    def _open_numbers(self) -> list[int]:
        with self._lock:
            return list(self._open.values())

    @property
    def received(self) -> list[Received]:
        """All that arrived, connection by connection."""
        with self._lock:
            return sorted(self._received, key=lambda received: received.connection)

    def take(self, records: Iterable[Received]) -> None:
        """Keep what a connection has brought."""
        with self._lock:
            self._received += records

    def pause(self) -> None:
        """Wait as long as the receiver is frozen."""
        self._running.wait()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, name = listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open[connection] = self._numbers[name] = self.connections
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with connection, contextlib.suppress(OSError, EOFError, http.client.HTTPException):
                self._protocol(self, connection, number)
        finally:
            with self._lock:
                del self._open[connection]


Protocol = Callable[[Receiver, socket.socket, int], None]
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


def decode_loki(body: bytes) -> list[Received]:
    """Read a push request."""
    records = []
    for entry in decode_body(body):
        labels = dict(_LABEL.findall(entry.labels))
        records.append(Received(labels["container_name"], labels["source"], entry.line.encode(), entry.time_nano))
    return records


def decode_objects(body: bytes) -> list[Received]:
    """Read JSON objects, one a line or as an array."""
    objects = json.loads(body) if body.startswith(b"[") else [json.loads(line) for line in body.splitlines()]
    return [
        Received(o["container_name"], o["source"], o["log"].encode(), _nanoseconds(o["timestamp"])) for o in objects
    ]


def decode_events(body: bytes) -> list[Received]:
    """Read events of HEC, one behind the other, whose tag is the container's name."""
    decoder = json.JSONDecoder()
    text = body.decode()
    records = []
    position = 0
    while position < len(text):
        event, position = decoder.raw_decode(text, position)
        content = event["event"]
        moment = int(Decimal(event["time"]) * _SECOND)
        records.append(Received(content["tag"], content["source"], content["line"].encode(), moment))
    return records


def decode_json_file(content: bytes, container: str) -> list[Received]:
    """Read a file of Docker's json-file lines."""
    records = []
    for line in content.splitlines():
        entry = json.loads(line)
        log = entry.get("log", "").encode()
        moment = _nanoseconds(entry["time"])
        records.append(
            Received(container, entry["stream"], log.removesuffix(b"\n"), moment, is_part=not log.endswith(b"\n"))
        )
    return records


def _nanoseconds(text: str) -> int:
    """Read RFC 3339 with up to nine digits after the point, in UTC."""
    moment, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(moment).replace(tzinfo=UTC) - _EPOCH
    return (seconds.days * 86_400 + seconds.seconds) * _SECOND + int(fraction.ljust(9, "0"))


def serve_forward(receiver: Receiver, connection: socket.socket, number: int) -> None:
    """Speak the Forward protocol in PackedForward mode, and acknowledge chunks."""
    messages = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=1 << 28)
    for content in _pieces(receiver, connection):
        messages.feed(content)
        for _, packed, options in messages:
            plain = zlib.decompress(packed, wbits=31) if options.get("compressed") == "gzip" else packed
            events = msgpack.Unpacker(raw=False, ext_hook=_event_time, max_buffer_size=1 << 28)
            events.feed(plain)
            receiver.take(replace(_of_forward(*event), connection=number) for event in events)
            receiver.pause()
            time.sleep(receiver.delay)
            answer = msgpack.packb({"ack": options["chunk"]})
            if receiver.breaks:
                receiver.breaks -= 1
                connection.sendall(answer[:-3])
                return
            connection.sendall(answer)


def _event_time(code: int, data: bytes) -> int:
    assert code == 0
    return int.from_bytes(data[:4], "big") * _SECOND + int.from_bytes(data[4:], "big")


def _of_forward(moment: int, record: dict[str, str]) -> Received:
    is_part = record.get("partial_last") == "false"
    name = record["container_name"].removeprefix("/")
    return Received(name, record["source"], record["log"].encode(), moment, is_part)


def serve_syslog(receiver: Receiver, connection: socket.socket, number: int) -> None:
    """Take RFC 5424 messages that end with a newline; the app name is the container's."""
    rest = b""
    for content in _pieces(receiver, connection):
        *messages, rest = (rest + content).split(b"\n")
        receiver.take(replace(_of_syslog(message), connection=number) for message in messages)


def _of_syslog(message: bytes) -> Received:
    match = _SYSLOG.fullmatch(message)
    assert match, message
    priority, moment, name, line = match.groups()
    since = datetime.fromisoformat(moment.decode()) - _EPOCH
    source = "stderr" if int(priority) & 7 == _ERR else "stdout"
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return Received(name.decode(), source, line, microseconds * 1000)


def serve_gelf(receiver: Receiver, connection: socket.socket, number: int) -> None:
    """Take GELF messages that end with a NUL."""
    rest = b""
    for content in _pieces(receiver, connection):
        messages, nul, rest = (rest + content).rpartition(b"\0")
        receiver.take(replace(of_gelf(message), connection=number) for message in decode_stream(messages + nul))


def of_gelf(message: dict[str, Any]) -> Received:
    """Take the fields of a GELF message."""
    source = "stderr" if message["level"] == _ERR else "stdout"
    moment = int(message["timestamp"] * _SECOND)
    return Received(message["_container_name"], source, message["short_message"].encode(), moment)


class GelfDatagrams:
    """A GELF server at UDP, in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self.port: int = self._socket.getsockname()[1]
        self._messages = Reassembly()
        self._taking = threading.Lock()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    @property
    def received(self) -> list[Received]:
        """All that was sent until now, with what the kernel still held."""
        self._take()
        return [of_gelf(message) for message in list(self._messages.messages)]

    def _run(self) -> None:
        readable = select.poll()  # select(2) takes no descriptor above 1023
        readable.register(self._socket, select.POLLIN)
        while not self._is_ending:
            readable.poll()
            self._take()

    def _take(self) -> None:
        with self._taking, contextlib.suppress(BlockingIOError):
            while datagram := self._socket.recv(65_536, socket.MSG_DONTWAIT):
                self._messages.take(datagram)


def _pieces(receiver: Receiver, connection: socket.socket) -> Iterator[bytes]:
    while True:
        receiver.pause()
        content = connection.recv(65_536)
        if not content:
            return
        receiver.pause()
        yield content


PROTOCOLS: dict[str, Callable[[], Protocol]] = {
    "loki": lambda: http_server(decode_loki),
    "http": lambda: http_server(decode_objects),
    "splunk": lambda: http_server(decode_events, lambda number: b'{"text":"Success","code":0,"ackId":%d}' % number),
    "fluentd": lambda: serve_forward,
    "syslog": lambda: serve_syslog,
    "gelf": lambda: serve_gelf,
}


def joined(records: Sequence[Received]) -> list[Received]:
    """Join the parts of lines, container by container and source by source."""
    held: dict[tuple[str, str], Received] = {}
    whole = []
    for record in records:
        key = record.container, record.source
        before = held.pop(key, None)
        line = record if before is None else replace(before, line=before.line + record.line)
        if record.is_part:
            held[key] = line
        else:
            whole.append(replace(line, is_part=False))
    return whole


@dataclass(frozen=True)
class Once:
    """Lines without repetitions, and how often a sender went back to lines that it had sent before."""

    lines: list[bytes]
    returns: int


def without_repeats(lines: Iterable[bytes]) -> Once:
    """Leave out what was sent again, in order; lines must differ, and none may be sent before all in front of it."""
    places: dict[bytes, int] = {}
    before = -1
    returns = 0
    for line in lines:
        place = places.setdefault(line, len(places))
        assert place <= before + 1, f"{line!r} does not follow the line before it"
        returns += place <= before
        before = place
    return Once(list(places), returns)


class ReceiverProcess:
    """A receiver as a process of its own, always at the same port. What it takes in is on disk before it answers."""

    def __init__(self, protocol: str, folder: Path) -> None:
        self.protocol = protocol
        self._held = HeldPort()
        self.port = self._held.number
        self._output = folder / f"{protocol}-{self.port}"
        self._received: list[Received] = []
        self._position = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._held.release()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [sys.executable, "-m", "tests.sinks.receivers", self.protocol, str(self.port), str(self._output)]
        self._process = subprocess.Popen(command, cwd=REPOSITORY)
        wait_until(self._listens, f"the receiver of {self.protocol} listens")

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it with SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def options(self) -> dict[str, str]:
        """The log-opts for it: little time passes between attempts, and none is given up because a machine is busy."""
        at = f"127.0.0.1:{self.port}"
        own = {
            "loki": {"loki-url": f"http://{at}/loki/api/v1/push", "loki-timeout": "2m"},
            "http": {"http-url": f"http://{at}", "http-timeout": "2m"},
            "fluentd": {"fluentd-address": at, "fluentd-read-timeout": "2m", "fluentd-retry-wait": "50ms"},
            "syslog": {"syslog-address": f"tcp://{at}", "syslog-format": "rfc5424micro", "tag": "{{.Name}}"},
        }
        return {"batch-wait": "50ms", "retry-min": "50ms", "retry-max": "200ms"} | own[self.protocol]

    @property
    def received(self) -> list[Received]:
        """All that arrived so far."""
        if self._output.exists():
            with self._output.open("rb") as output:
                output.seek(self._position)
                complete, newline, _ = output.read().rpartition(b"\n")
            self._position += len(complete + newline)
            for values in map(json.loads, complete.splitlines()):
                self._received.append(Received(**(values | {"line": values["line"].encode("latin-1")})))
        return self._received

    def lines(self, container: str, source: str = "stdout") -> list[bytes]:
        """The lines of one container so far, their parts joined."""
        return [r.line for r in joined([r for r in self.received if (r.container, r.source) == (container, source)])]

    def wait_for(self, container: str, last: bytes) -> list[bytes]:
        """Wait for the line with which a container's log ends, and give all of its lines."""
        wait_until(
            lambda: any((r.container, r.line) == (container, last) for r in self.received),
            f"{last[:40]!r} of {container} arrives at {self.protocol}",
        )
        return self.lines(container)

    def _listens(self) -> bool:
        return f":{self.port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


class Receivers:
    """Makes receivers as processes, their output in a folder, and ends them with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def down(self, protocol: str) -> ReceiverProcess:
        """Make one that is not running yet."""
        return self._stack.enter_context(ReceiverProcess(protocol, self._folder))

    def up(self, protocol: str) -> ReceiverProcess:
        """Make one that runs."""
        receiver = self.down(protocol)
        receiver.start()
        return receiver


class _Written(Receiver):
    """A receiver that writes down what it takes in."""

    def __init__(self, protocol: Protocol, port: int, output: BinaryIO) -> None:
        super().__init__(protocol, port)
        self._output = output
        self._writing = threading.Lock()

    def take(self, records: Iterable[Received]) -> None:
        lines = [json.dumps(asdict(record) | {"line": record.line.decode("latin-1")}) + "\n" for record in records]
        with self._writing:
            self._output.write("".join(lines).encode())


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("port", type=int)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    with io.FileIO(arguments.output, "a") as output:
        _Written(PROTOCOLS[arguments.protocol](), arguments.port, output).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
