"""Readings: what they give, how they end, and that nothing of them is left."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import pytest

from plugin.api import follow
from plugin.api.follow import LogReader, Session
from plugin.config.options import validate
from plugin.docker.frames import Entry
from plugin.errors import RequestError
from plugin.intake.service import Intake
from plugin.journal import readback
from plugin.journal.readback import LogQuery, LogReading
from tests.intake.pump_harness import ONE, OTHER, Fifo, PumpHarness, frames, info_of
from tests.journal.entries import encode, part, read_lines

T = TypeVar("T")

FOLLOW = LogQuery(follow=True)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine; one that hangs fails."""

    async def within() -> T:
        return await asyncio.wait_for(main, 120)

    return asyncio.run(within())


def begin(harness: PumpHarness, intake: Intake, container: str = ONE, content: bytes = b"") -> Fifo:
    """Let a container run that has printed something."""
    fifo = harness.fifo(container[:8])
    intake.attach(str(fifo.path), info_of(container), validate({}))
    fifo.write(content)
    return fifo


def end(intake: Intake, fifo: Fifo) -> None:
    """Let a container stop."""
    assert intake.detach(str(fifo.path)).result()


async def texts(given: AsyncIterator[bytes]) -> list[bytes]:
    """Read all that comes; give the lines."""
    return [line.text for line in read_lines(b"".join([piece async for piece in given]))]


def lines(count: int, start: int = 0) -> list[bytes]:
    return [f"line {number} \n".encode() for number in range(start, start + count)]


class TestReading:
    def test_it_gives_what_the_fifo_holds_and_ends(self, harness: PumpHarness, intake: Intake) -> None:
        begin(harness, intake, content=frames(3))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, LogQuery())
            assert await texts(session.frames()) == lines(3)
            session.close()

        run(main())

    def test_what_is_asked_for_is_settled_when_it_begins(self, harness: PumpHarness, intake: Intake) -> None:
        fifo = begin(harness, intake, content=frames(3))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, LogQuery(tail=2))
            fifo.write(frames(3, start=3))
            intake.drain().result()
            assert await texts(session.frames()) == lines(2, start=1)
            session.close()

        run(main())

    def test_an_unknown_container_has_no_lines(self, intake: Intake) -> None:
        async def main() -> None:
            for query in (LogQuery(), FOLLOW):
                session = await LogReader(intake, 1).open(OTHER, query)
                assert await texts(session.frames()) == []
                session.close()

        run(main())

    def test_one_that_was_not_begun_gives_nothing(self, intake: Intake) -> None:
        async def main() -> None:
            session = Session(LogReader(intake, 1), intake, ONE, FOLLOW)
            assert await texts(session.frames()) == []
            session.close()

        run(main())


class TestFollowing:
    def test_later_lines_come_until_the_container_stops(self, harness: PumpHarness, intake: Intake) -> None:
        fifo = begin(harness, intake, content=frames(1))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, FOLLOW)
            given = session.frames()
            assert [line.text for line in read_lines(await anext(given))] == lines(1)
            waiting = asyncio.ensure_future(anext(given))
            fifo.write(frames(1, start=1))
            assert [line.text for line in read_lines(await waiting)] == lines(1, start=1)
            fifo.write(frames(1, start=2))
            await asyncio.to_thread(end, intake, fifo)
            assert await texts(given) == lines(1, start=2)
            session.close()

        run(main())

    def test_one_of_a_stopped_container_ends_at_once(self, harness: PumpHarness, intake: Intake) -> None:
        end(intake, begin(harness, intake, content=frames(2)))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, FOLLOW)
            assert await texts(session.frames()) == lines(2)
            session.close()

        run(main())

    def test_a_stream_that_begins_later_does_not_prolong_it(self, harness: PumpHarness, intake: Intake) -> None:
        fifo = begin(harness, intake, content=frames(1))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, FOLLOW)
            later = harness.fifo("later")
            intake.attach(str(later.path), info_of(), validate({}))
            await asyncio.to_thread(end, intake, fifo)
            assert await texts(session.frames()) == lines(1)
            session.close()

        run(main())

    def test_a_line_whose_end_never_came_is_given_at_the_end(self, harness: PumpHarness, intake: Intake) -> None:
        fifo = begin(harness, intake, content=encode([part(b"begun, "), part(b"not ended")]))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, FOLLOW)
            reading = asyncio.ensure_future(texts(session.frames()))
            await asyncio.to_thread(end, intake, fifo)
            assert await reading == [b"begun, not ended"]
            session.close()

        run(main())

    def test_it_ends_when_until_is_passed_although_the_container_runs(
        self, harness: PumpHarness, intake: Intake
    ) -> None:
        begin(harness, intake, content=encode([Entry("stdout", 1, b"in time"), Entry("stdout", 9, b"too late")]))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, LogQuery(follow=True, until=5))
            assert await texts(session.frames()) == [b"in time\n"]
            session.close()

        run(main())

    def test_one_that_waits_keeps_nothing_of_what_it_has_given(self, harness: PumpHarness, intake: Intake) -> None:
        begin(harness, intake, content=frames(1))

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, FOLLOW)
            given = session.frames()
            first = await anext(given)
            waiting = asyncio.ensure_future(anext(given))
            async with asyncio.timeout(120):
                while sys.getrefcount(first) > 2:  # noqa: ASYNC110 (this one, and the argument; nothing else tells)
                    await asyncio.sleep(0.01)
            assert not waiting.done()
            session.stop()
            with pytest.raises(StopAsyncIteration):
                await waiting
            session.close()

        run(main())

    def test_stopping_ends_those_that_wait(self, harness: PumpHarness, intake: Intake) -> None:
        begin(harness, intake, content=frames(1))
        begin(harness, intake, OTHER)

        async def main() -> None:
            reader = LogReader(intake, 2)
            sessions = [await reader.open(container, FOLLOW) for container in (ONE, OTHER)]
            given = sessions[0].frames()
            await anext(given)
            readings = [asyncio.ensure_future(texts(given)), asyncio.ensure_future(texts(sessions[1].frames()))]
            await asyncio.sleep(0)
            reader.stop()
            assert await asyncio.gather(*readings) == [[], []]
            for session in sessions:
                session.close()

        run(main())


class TestBounds:
    def test_only_so_many_may_follow_at_once(self, harness: PumpHarness, intake: Intake) -> None:
        begin(harness, intake)

        async def main() -> None:
            reader = LogReader(intake, 2)
            first, second = [await reader.open(ONE, FOLLOW) for _ in range(2)]
            with pytest.raises(RequestError, match=r"2 readers follow logs already.*PEAVEY_MAX_FOLLOWERS"):
                await reader.open(ONE, FOLLOW)
            (await reader.open(ONE, LogQuery())).close()
            with pytest.raises(RequestError):
                await reader.open(ONE, FOLLOW)
            first.close()
            third = await reader.open(ONE, FOLLOW)
            for session in (second, third):
                session.close()

        run(main())

    def test_so_may_those_that_do_not_follow(self, harness: PumpHarness, intake: Intake) -> None:
        begin(harness, intake)

        async def main() -> None:
            reader = LogReader(intake, 1, 2)
            first, second = [await reader.open(ONE, LogQuery()) for _ in range(2)]
            with pytest.raises(RequestError, match="2 readers that do not follow are open already"):
                await reader.open(ONE, LogQuery())
            (await reader.open(ONE, FOLLOW)).close()
            first.close()
            (await reader.open(ONE, LogQuery())).close()
            second.close()

        run(main())

    @pytest.mark.parametrize("query", [LogQuery(), FOLLOW])
    def test_one_who_does_not_read_holds_no_file_and_gets_all_later(
        self, harness: PumpHarness, intake: Intake, monkeypatch: pytest.MonkeyPatch, query: LogQuery
    ) -> None:
        monkeypatch.setattr(follow, "_REST_AFTER", 0)
        monkeypatch.setattr(readback, "_CHUNK", 64)
        begin(harness, intake, content=frames(50))

        async def main() -> None:
            reader = LogReader(intake, 1)
            session = await reader.open(ONE, query)
            given = session.frames()
            got = [await anext(given)]
            reading = session._reading
            assert reading is not None
            while reading._reader._segment is not None or reading._reader._held:  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.001)
            got.append(await anext(given))
            reader.stop()
            got += [piece async for piece in given]
            session.close()
            assert [line.text for line in read_lines(b"".join(got))] == lines(50)

        run(main())

    @pytest.mark.parametrize("failing", ["collect", "reading"])
    def test_one_that_cannot_begin_leaves_its_place(
        self, harness: PumpHarness, intake: Intake, monkeypatch: pytest.MonkeyPatch, failing: str
    ) -> None:
        begin(harness, intake)

        def fail(*_: object) -> None:
            raise OSError(5, "Input/output error")

        async def main() -> None:
            reader = LogReader(intake, 1)
            with monkeypatch.context() as patch:
                if failing == "collect":
                    patch.setattr(intake, "collect", fail)
                else:
                    patch.setattr(LogReading, "__init__", fail)
                with pytest.raises(OSError, match="Input/output error"):
                    await reader.open(ONE, FOLLOW)
            assert intake._followers == {}
            (await reader.open(ONE, FOLLOW)).close()

        run(main())

    def test_nothing_is_left_of_one_that_is_closed(
        self, harness: PumpHarness, intake: Intake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(harness, intake, content=frames(1))
        closed: list[LogReading] = []
        close = LogReading.close

        def note(reading: LogReading) -> None:
            closed.append(reading)
            close(reading)

        monkeypatch.setattr(LogReading, "close", note)

        async def main() -> None:
            session = await LogReader(intake, 1).open(ONE, FOLLOW)
            given = session.frames()
            await anext(given)
            assert len(intake._followers[ONE]) == 1
            session.close()
            assert intake._followers == {}
            assert len(closed) == 1

        run(main())
