"""The sink against a real RabbitMQ."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, RejectError, Sink, SinkError, UnavailableError
from plugin.sinks.registry import schema
from tests.sinks.amqp.server import Queue, node, rabbitmq
from tests.sinks.factories import TIME, origin_of, records_of, sink_of
from tests.testbed.ports import CLOSED_PORT
from tests.testbed.waiting import wait_until

LINES = [b"line %d" % number for number in range(1_000)]


@pytest.fixture
def queue() -> Iterator[Queue]:
    with rabbitmq() as queue:
        yield queue


def amqp(queue: Queue, **options: str) -> Sink[object]:
    return sink_of(**{"amqp_url": f"amqp://{queue.address}", "amqp_routing_key": queue.name, **options})


def send(sink: Sink[object], lines: Sequence[bytes] = LINES) -> SinkError | None:
    """Send lines; returns the failure, if it is one."""

    async def run() -> None:
        try:
            await sink.send(sink.encode(records_of(sink, lines, origin_of(tag="blue"))))
        finally:
            await sink.close()

    try:
        asyncio.run(run())
    except SinkError as error:
        return error
    return None


@pytest.mark.parametrize(("lines", "messages"), [("1", 1_000), ("500", 2)])
def test_lines_arrive_in_order(queue: Queue, lines: str, messages: int) -> None:
    assert send(amqp(queue, amqp_lines_per_message=lines)) is None
    wait_until(lambda: len(queue.messages) == messages, "all messages arrive")
    assert [received.line for received in queue.received] == LINES


def test_messages_are_persistent_and_have_ids(queue: Queue) -> None:
    assert send(amqp(queue), [b"x"]) is None
    wait_until(lambda: queue.messages, "a message arrives")
    (message,) = queue.messages
    assert (message.delivery_mode, message.content_type, message.app_id) == (2, "application/json", "peavey")
    assert message.message_id == f"8c1f8c1f8c1f-{TIME:x}-0"


def test_over_tls(queue: Queue) -> None:
    url = f"amqps://127.0.0.1:{node().tls_port}"
    assert send(amqp(queue, amqp_url=url, amqp_tls_ca_cert=str(node().ca)), [b"x"]) is None
    wait_until(lambda: queue.messages, "a message arrives")
    error = send(amqp(queue, amqp_url=url), [b"x"])
    assert isinstance(error, MisconfiguredError)
    assert "certificate" in str(error)


def test_another_node_is_tried(queue: Queue) -> None:
    assert send(amqp(queue, amqp_url=f"amqp://127.0.0.1:{CLOSED_PORT},{queue.address}"), [b"x"]) is None


def test_an_exchange_and_a_routing_key_by_template(queue: Queue) -> None:
    async def bind() -> None:
        async with await node().connect() as connection:
            channel = await connection.channel()
            exchange = await channel.declare_exchange("topic-web", "topic", auto_delete=True)
            await (await channel.get_queue(queue.name)).bind(exchange, "logs.*.web")

    node().run(bind())
    template = {"amqp_exchange": "topic-{{.Name}}", "amqp_routing_key": "logs.{{.ID}}.{{.Name}}"}
    assert send(amqp(queue, **template), [b"x"]) is None
    wait_until(lambda: queue.messages, "a message arrives")
    assert queue.messages[0].routing_key == "logs.8c1f8c1f8c1f.web"


class TestMisconfigured:
    def told(self, queue: Queue, **options: str) -> str:
        error = send(amqp(queue, **options), [b"x", b"y"])
        assert isinstance(error, MisconfiguredError)
        assert "secret" not in str(error)
        return str(error)

    def test_a_message_that_no_queue_takes(self, queue: Queue) -> None:
        told = self.told(queue, amqp_routing_key="nowhere")
        assert "returned a message (NO_ROUTE): the default exchange has no queue for the routing key nowhere" in told

    def test_no_such_exchange(self, queue: Queue) -> None:
        told = self.told(queue, amqp_exchange="nowhere")
        assert "NOT_FOUND - no exchange 'nowhere' in vhost '/'" in told
        assert "declare the exchange" in told

    def test_a_wrong_password(self, queue: Queue) -> None:
        told = self.told(queue, amqp_username="guest", amqp_password="secret")  # noqa: S106
        assert "refuses the login" in told

    def test_no_such_virtual_host(self, queue: Queue) -> None:
        assert "refuses the virtual host" in self.told(queue, amqp_url=f"amqp://{queue.address}/nowhere")


def test_a_queue_that_is_full_is_waited_for(queue: Queue) -> None:
    async def declare() -> None:
        async with await node().connect() as connection:
            channel = await connection.channel()
            bound: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
            await channel.declare_queue(f"{queue.name}-full", durable=True, arguments=bound)

    async def delete() -> None:
        async with await node().connect() as connection:
            await (await connection.channel()).queue_delete(f"{queue.name}-full")

    node().run(declare())
    error = send(amqp(queue, amqp_routing_key=f"{queue.name}-full"), LINES[:20])
    node().run(delete())
    assert "does not take a message now" in str(error)
    assert not isinstance(error, (RejectError, MisconfiguredError))


def test_what_is_confirmed_at_the_beginning_is_not_published_again(queue: Queue) -> None:
    sink = amqp(queue, amqp_timeout="4s")  # on a busy machine a server may confirm nothing for a second

    async def run() -> int:
        payload = sink.encode(records_of(sink, [b"%d" % number for number in range(3_000)]))
        sending = asyncio.create_task(sink.send(payload))
        await asyncio.to_thread(wait_until, lambda: len(queue.messages) >= 500, "some messages arrive")
        queue.stop()
        with pytest.raises(UnavailableError):
            await sending
        queue.start()
        await sink.send(payload)
        await sink.close()
        return 3_000

    expected = asyncio.run(run())
    numbers: list[int] = []
    wait_until(
        lambda: queue.messages[-1].body and len({m.message_id for m in queue.messages}) == expected, "all arrive"
    )
    numbers = [int(received.line) for received in queue.received]
    assert len(numbers) <= expected + 512, "only what was under way"
    assert sorted(set(numbers)) == list(range(expected))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amqp-username": "me"}, "'amqp-username' needs 'amqp-password'"),
        ({"amqp-tls-ca-cert": "/etc/ssl/certs/ca-certificates.crt"}, "amqps://"),
        ({"amqp-routing-keys": "x"}, "did you mean 'amqp-routing-key'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        validate({"amqp-url": "amqp://h", **options}, schema=schema())
