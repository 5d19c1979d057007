"""Servers of binary protocols that change one of their answers: what is sent is delivered, or a `SinkError`."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.options import validate
from plugin.sinks.base import SinkError
from plugin.sinks.registry import make_sink, schema
from tests.fuzz import conversations
from tests.fuzz.budget import fuzzed
from tests.sinks.factories import records_of


class Protocol(NamedTuple):
    """How a server answers, and the log-opts of its sink; ``greets`` where it speaks first."""

    answers: conversations.Answers
    options: Callable[[str], dict[str, str]]
    greets: bool = False


PROTOCOLS = {
    "redis": Protocol(conversations.redis, lambda at: {"redis-url": f"redis://{at}", "redis-timeout": "1s"}),
    "redis cluster": Protocol(
        conversations.redis,
        lambda at: {"redis-url": f"redis://:p@{at}", "redis-timeout": "1s", "redis-wait-replicas": "1"},
    ),
    "nats": Protocol(conversations.nats, lambda at: {"nats-url": f"nats://{at}", "nats-timeout": "1s"}, greets=True),
    "amqp": Protocol(
        conversations.amqp,
        lambda at: {"amqp-url": f"amqp://{at}", "amqp-timeout": "1s", "amqp-routing-key": "logs"},
    ),
    "kafka": Protocol(conversations.kafka, lambda at: {"kafka-brokers": at, "kafka-timeout": "1s"}),
    "otlp grpc": Protocol(
        conversations.grpc,
        lambda at: {"otlp-endpoint": f"http://{at}", "otlp-protocol": "grpc", "otlp-timeout": "1s"},
    ),
}


def converse(protocol: Protocol, number: int | None, change: Callable[[bytes], bytes]) -> bool:
    """Send a record to a server whose answer of this number is changed, and which hangs up behind it; or all are.

    Returns whether the record was taken.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = b""
        told = 0
        with contextlib.suppress(OSError):
            while True:
                if not (protocol.greets and told == 0):
                    content = await reader.read(1 << 16)
                    if not content:
                        break
                    sent += content
                answers = protocol.answers(sent)
                for place, answer in enumerate(answers[told:], told):
                    writer.write(change(answer) if number in (None, place) else answer)
                    await writer.drain()
                    if place == number:
                        break
                told = len(answers)
                if number is not None and told > number:
                    break
        writer.close()

    async def talk() -> bool:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
        async with server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            (choice,) = validate(protocol.options(address), {}, schema()).sinks
            sink = make_sink(choice)
            taken = False
            async with asyncio.timeout(60):
                with contextlib.suppress(SinkError):
                    await sink.send(sink.encode(records_of(sink, [b"a line"])))
                    taken = True
                await sink.close()
        return taken

    return asyncio.run(talk())


@pytest.mark.parametrize("name", PROTOCOLS)
@fuzzed(0.2)
@given(data=st.data())
def test_a_server_that_changes_an_answer(name: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 6))
    odd = data.draw(st.none() | st.binary(max_size=60))
    edits = changed_by(data)
    converse(PROTOCOLS[name], number, lambda answer: edits(answer) if odd is None else odd)


def changed_by(data: st.DataObject) -> Callable[[bytes], bytes]:
    """Return what changes an answer, as it is drawn now."""
    seed = data.draw(st.randoms(use_true_random=False))

    def change(answer: bytes) -> bytes:
        edited = bytearray(answer)
        for _ in range(seed.randint(1, 4)):
            place = seed.randint(0, len(edited))
            match seed.choice(["flip", "cut", "insert", "replace"]):
                case "flip" if place < len(edited):
                    edited[place] ^= 1 << seed.randint(0, 7)
                case "cut":
                    del edited[place:]
                case "insert":
                    edited[place:place] = seed.randbytes(3)
                case "replace":
                    edited[place : place + 2] = seed.randbytes(2)
        return bytes(edited)

    return change


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if name not in ("kafka", "redis cluster")])
def test_the_conversation_is_sound(name: str) -> None:
    assert converse(PROTOCOLS[name], None, bytes)
