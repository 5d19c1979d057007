"""What delivery has open is bounded, and whoever waits gets a turn."""

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from plugin.delivery.descriptors import Connections, OpenJournals


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Journal:
    """A reader that counts how often it was put down."""

    def __init__(self) -> None:
        self.put_downs = 0

    def put_down(self) -> None:
        self.put_downs += 1


class Sink:
    """A sink that is connected from when it sends until it is closed; ``connected`` are all that are now."""

    def __init__(self, connections: Connections, connected: "list[Sink]") -> None:
        self._connections = connections
        self._connected = connected
        self.sent = 0
        self.most = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def send(self) -> None:
        await self._connections.begin(self)
        try:
            if self not in self._connected:
                self._connected.append(self)
            self.most = max(self.most, len(self._connected))
            await self.hold.wait()
            await asyncio.sleep(0)
            self.sent += 1
        finally:
            self._connections.end(self)

    async def close(self) -> None:
        await asyncio.sleep(0)
        if self in self._connected:
            self._connected.remove(self)


@contextmanager
def pending(*tasks: "asyncio.Task[None]") -> Iterator[None]:
    yield
    for task in tasks:
        task.cancel()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class TestJournals:
    def test_those_that_were_read_longest_ago_make_room(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)
        opened = OpenJournals(2)
        first, second, third = Journal(), Journal(), Journal()
        opened.use(first)
        opened.use(second)
        opened.use(first)
        assert not caplog.records
        opened.use(third)
        assert [one.put_downs for one in (first, second, third)] == [0, 1, 0]
        opened.use(second)
        assert [one.put_downs for one in (first, second, third)] == [1, 1, 0]
        assert len(opened) == 2
        (record,) = caplog.records
        assert record.message == (
            "open file limit (RLIMIT_NOFILE) is low: at most 2 journals are open at the same time, and take turns;"
            " raise LimitNOFILE"
        )

    def test_those_that_are_closed_need_no_room(self) -> None:
        opened = OpenJournals(1)
        first, second = Journal(), Journal()
        opened.use(first)
        opened.note_closed(first)
        opened.note_closed(second)
        opened.use(second)
        assert (first.put_downs, second.put_downs, len(opened)) == (0, 0, 1)


class TestConnections:
    @in_loop
    async def test_no_more_than_so_many_are_connected(self, caplog: pytest.LogCaptureFixture) -> None:
        connected: list[Sink] = []
        connections = Connections(3)
        sinks = [Sink(connections, connected) for _ in range(10)]

        async def run(sink: Sink) -> None:
            for _ in range(20):
                await sink.send()

        await asyncio.gather(*map(run, sinks))
        assert [sink.sent for sink in sinks] == [20] * 10
        assert max(sink.most for sink in sinks) == 3
        assert "at most 3 destinations are connected at the same time" in caplog.text

    @in_loop
    async def test_without_need_nothing_is_closed(self, caplog: pytest.LogCaptureFixture) -> None:
        connected: list[Sink] = []
        connections = Connections(3)
        sinks = [Sink(connections, connected) for _ in range(3)]
        for _ in range(3):
            await asyncio.gather(*(sink.send() for sink in sinks))
        assert set(connected) == set(sinks)
        assert not caplog.records

    @in_loop
    async def test_one_that_always_sends_lets_others_have_their_turn(self) -> None:
        connected: list[Sink] = []
        connections = Connections(1)
        busy, other = Sink(connections, connected), Sink(connections, connected)

        async def run() -> None:
            while True:
                await busy.send()

        task = asyncio.create_task(run())
        with pending(task):
            await settle()
            for _ in range(5):
                await other.send()
            await settle()
            assert busy.sent > 5

    @in_loop
    async def test_one_that_hangs_keeps_its_place_alone(self) -> None:
        connected: list[Sink] = []
        connections = Connections(2)
        hanging, one, two = (Sink(connections, connected) for _ in range(3))
        hanging.hold.clear()
        task = asyncio.create_task(hanging.send())
        with pending(task):
            await settle()
            for _ in range(5):
                await one.send()
                await two.send()
        assert (one.sent, two.sent) == (5, 5)

    @in_loop
    async def test_one_that_is_cancelled_while_it_waits_costs_no_place(self) -> None:
        connected: list[Sink] = []
        connections = Connections(1)
        hanging, waiting, other = (Sink(connections, connected) for _ in range(3))
        hanging.hold.clear()
        first, second = asyncio.create_task(hanging.send()), asyncio.create_task(waiting.send())
        await settle()
        hanging.hold.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([first, second])
        async with asyncio.timeout(10):
            await other.send()
            await waiting.send()
        assert max(sink.most for sink in (hanging, waiting, other)) == 1

    @in_loop
    async def test_one_that_has_ended_leaves_its_place(self) -> None:
        connected: list[Sink] = []
        connections = Connections(1)
        hanging, other = Sink(connections, connected), Sink(connections, connected)
        hanging.hold.clear()
        task = asyncio.create_task(hanging.send())
        with pending(task):
            await settle()
            waiting = asyncio.create_task(other.send())
            await settle()
            assert not other.sent
            await hanging.close()
            connections.forget(hanging)
            async with asyncio.timeout(10):
                await waiting
