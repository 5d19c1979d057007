"""The worker, in one process with the test, on a data folder made by hand; its destination is an HTTP server."""

import asyncio
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from plugin.delivery import worker as worker_module
from plugin.delivery.report import read_status
from plugin.delivery.timing import Timing
from plugin.delivery.worker import Worker, pause_between_looks
from plugin.docker.frames import Entry, PartialMetadata
from plugin.errors import JournalError
from plugin.journal.change_counters import GrowthTeller
from plugin.journal.cursors.store import Cursor, cursor_path, read_cursor, write_cursor
from plugin.journal.metadata import read_metadata
from plugin.sinks.registry import load_sink
from tests.delivery.conftest import Journal
from tests.delivery.worker_harness import WorkerHarness, until, working
from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.receiver import Receiver


class Web:
    """A container in a data folder, and the receiver that it is delivered to."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self.timing = Timing(patience=0.1, lively=0.3, list=0.05)
        self.harness = WorkerHarness(folder, {"http-url": f"http://127.0.0.1:{receiver.port}", "http-timeout": "2m"})
        self._own_files = 0
        self._own_files = len(self.open_files())

    @property
    def journal(self) -> Journal:
        """The container's journal."""
        return self.harness.journal

    def working(self) -> AbstractAsyncContextManager[Worker]:
        """Have a worker work meanwhile."""
        return working(self.harness.data, timing=self.timing)

    def open_files(self) -> list[str]:
        """The open files of its journal, besides those of the writer."""
        found = (os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))
        return [path for path in found if path.startswith(str(self.journal.folder))][self._own_files :]

    def lines(self) -> list[bytes]:
        """What has arrived."""
        return [record.line for record in self.receiver.received]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with Receiver(PROTOCOLS["http"]) as receiver:
        made = Web(tmp_path, receiver)
        yield made
        made.journal.close()


def test_it_takes_up_what_is_there_and_what_comes(web: Web) -> None:
    async def story() -> None:
        lines = web.journal.lines(0, 100)
        async with web.working():
            await until(lambda: web.lines() == lines)
            more = web.journal.lines(100, 100)
            web.harness.touch()
            await until(lambda: len(web.lines()) == 200)
        assert web.lines() == lines + more

    asyncio.run(story())


def test_a_last_line_without_its_end_arrives_although_the_destination_was_down_meanwhile(web: Web) -> None:
    async def story() -> None:
        web.receiver.stop()
        web.journal.lines(0, 1)
        async with web.working() as worker:
            await until(lambda: any(d.state.retries for _, d in worker._destinations))
            web.journal.write(
                Entry(
                    "stdout", 5_000, b"prompt> ", partial=True, metadata=PartialMetadata(last=False, id="a", ordinal=1)
                )
            )
            await asyncio.sleep(1)  # the container is watched no more
            web.receiver.start()
            await until(lambda: b"prompt> " in web.lines())

    asyncio.run(story())


def test_a_journal_whose_destination_was_down_rests_when_all_is_delivered(web: Web) -> None:
    async def story() -> None:
        web.receiver.stop()
        lines = web.journal.lines(0, 100)
        GrowthTeller(web.harness.data).tell(web.harness.container)
        async with web.working() as worker:
            await until(lambda: any(d.state.retries for _, d in worker._destinations))
            await until(lambda: not worker._lively)
            web.receiver.start()
            await until(lambda: web.lines() == lines)
            await until(lambda: not web.open_files())

    asyncio.run(story())


def test_a_last_line_without_its_end_is_waited_for_no_longer_where_hints_tell_of_all_else(
    web: Web,
) -> None:
    web.timing = replace(web.timing, survey=3600.0)

    async def story() -> None:
        web.receiver.stop()
        web.journal.lines(0, 1)
        teller = GrowthTeller(web.harness.data)
        teller.tell(web.harness.container)
        async with web.working() as worker:
            await until(lambda: any(d.state.retries for _, d in worker._destinations))
            web.journal.write(
                Entry("stdout", 5, b"prompt> ", partial=True, metadata=PartialMetadata(last=False, id="a", ordinal=1))
            )
            teller.tell(web.harness.container)
            await until(lambda: not worker._lively)
            surveyed = worker._watch._next_survey
            web.receiver.start()
            await until(lambda: b"prompt> " in web.lines())
            assert worker._watch._next_survey == surveyed

    asyncio.run(story())


def test_a_defect_of_a_sink_ends_the_delivery_of_no_other_container(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("defect")

    async def story() -> None:
        monkeypatch.setattr(load_sink("gelf"), "prepare", fail)
        other = WorkerHarness(web.harness.data, {"gelf-address": "udp://127.0.0.1:9"}, "0000" * 16)
        other.journal.lines(0, 10)
        other.journal.close()
        lines = web.journal.lines(0, 100)
        async with web.working() as worker:
            await until(lambda: web.lines() == lines)
            (fault,) = worker._faults.texts()
            assert fault.startswith("0" * 12 + " gelf: a defect (KeyError)")

    asyncio.run(story())


def test_a_journal_whose_note_could_not_be_read_once_is_delivered_later(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        monkeypatch.setattr(worker_module, "read_metadata", read_metadata)
        raise JournalError(f"cannot use {folder}: too many open files")

    async def story() -> None:
        monkeypatch.setattr(worker_module, "read_metadata", fail)
        web.timing = replace(web.timing, retry=0.1)
        lines = web.journal.lines(0, 100)
        async with web.working():
            await until(lambda: web.lines() == lines)

    asyncio.run(story())


@pytest.fixture
def quick_to_retry(web: Web) -> None:
    """A worker that looks again at what is damaged, and tells of it, many times a second."""
    web.timing = replace(web.timing, retry=0.05, report=0.05, look=0.05)


def faults_of(web: Web) -> list[str]:
    return [fault for share in read_status(web.harness.data) for fault in share.faults]


@pytest.mark.usefixtures("quick_to_retry")
def test_a_damaged_note_is_told_with_what_to_do_until_the_container_is_started_again(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        lines = web.journal.lines(0, 100)
        note = web.journal.folder / "info.json"
        damage(note)
        async with web.working() as worker:
            await until(lambda: faults_of(web))
            (fault,) = faults_of(web)
            assert fault.startswith(f"{web.harness.container[:12]}: it is not delivered, its log waits: ")
            assert f"cannot use {note}" in fault
            assert "start the container again" in fault
            before = worker._containers[web.harness.container].retry
            await until(lambda: worker._containers[web.harness.container].retry > before)
            assert caplog.text.count(str(note)) == 1, "it is told once"

            web.harness.touch()
            await until(lambda: web.lines() == lines)
            await until(lambda: not faults_of(web))

    asyncio.run(story())


@pytest.mark.usefixtures("quick_to_retry")
def test_a_note_that_is_damaged_meanwhile_is_told_and_delivery_goes_on(web: Web) -> None:
    async def story() -> None:
        lines = web.journal.lines(0, 100)
        async with web.working():
            await until(lambda: web.lines() == lines)
            damage(web.journal.folder / "info.json")
            more = web.journal.lines(100, 100)
            await until(lambda: web.lines() == lines + more)
            await until(lambda: faults_of(web))
            assert "its log-opts hold as they were read before" in faults_of(web)[0]

    asyncio.run(story())


def damage(note: Path) -> None:
    """Damage it as a power cut can."""
    note.write_bytes(b"")


def test_a_cursor_that_an_older_journal_left_behind_is_not_this_ones(web: Web) -> None:
    async def story() -> None:
        lines = web.journal.lines(0, 100)
        write_cursor(web.journal.folder, "http", Cursor(offset=2_000, resume=2_000, birth=12))
        async with web.working():
            await until(lambda: web.lines() == lines)
            await until(lambda: place_of(web) == (web.journal.writer.offset, web.harness.birth))

    asyncio.run(story())


def place_of(web: Web) -> tuple[int, int] | None:
    cursor = read_cursor(web.journal.folder, "http")
    return None if cursor is None else (cursor.offset, cursor.birth)


def test_a_damaged_cursor_costs_repeats_and_no_line(web: Web) -> None:
    async def story() -> None:
        lines = web.journal.lines(0, 100)
        async with web.working():
            await until(lambda: web.lines() == lines)
        cursor_path(web.journal.folder, "http").write_bytes(b"")
        more = web.journal.lines(100, 100)
        async with web.working() as worker:
            await until(lambda: web.lines() == lines + lines + more)
            assert worker._faults.texts() == []

    asyncio.run(story())


def test_a_plugin_wide_sink_is_sent_nothing_of_a_container_until_it_has_a_cursor(web: Web) -> None:
    async def story() -> None:
        options = dict(web.harness.options)
        web.harness.options.clear()
        web.harness.touch()
        cursor_path(web.journal.folder, "http").unlink()
        web.journal.lines(0, 100)
        async with working(web.harness.data, options, web.timing) as worker:
            await until(lambda: any(one.without_cursor == {"http"} for one in worker._containers.values()))
            web.harness.touch()
            await asyncio.sleep(0.3)
            assert web.lines() == []
            assert worker._faults.texts() == []

            offset = web.journal.writer.offset
            write_cursor(web.journal.folder, "http", Cursor(offset=offset, resume=offset))
            lines = web.journal.lines(100, 100)
            await until(lambda: web.lines() == lines)

    asyncio.run(story())


def test_a_journal_that_begins_anew_is_not_taken_for_the_old_one(web: Web) -> None:
    async def story() -> None:
        async with web.working():
            first = web.journal.lines(0, 100)
            await until(lambda: web.lines() == first)
            web.receiver.freeze()
            web.journal.lines(100, 100)
            await asyncio.sleep(0.3)  # they are on their way

            web.journal.close()
            shutil.rmtree(web.journal.folder)
            second = web.harness.begin().lines(200, 50)
            web.receiver.thaw()
            await until(lambda: second[-1] in web.lines())
            assert [line for line in web.lines() if line in second] == second
            await until(lambda: (c := read_cursor(web.journal.folder, "http")) and c.offset)
            cursor = read_cursor(web.journal.folder, "http")
            assert cursor is not None
            assert cursor.offset == web.journal.writer.offset

    asyncio.run(story())


def test_a_sink_that_is_named_no_more_is_let_go(web: Web) -> None:
    async def story() -> None:
        with Receiver(PROTOCOLS["loki"]) as other:
            both = {"loki-url": f"http://127.0.0.1:{other.port}"}
            web.harness.options |= both
            web.harness.touch()
            async with web.working() as worker:
                first = web.journal.lines(0, 10)
                await until(lambda: len(other.received) == 10 and web.lines() == first)

                for name in both:
                    del web.harness.options[name]
                web.harness.touch()
                await until(lambda: len(list(worker._destinations)) == 1)
                second = web.journal.lines(10, 10)
                await until(lambda: web.lines() == first + second)
            assert len(other.received) == 10

    asyncio.run(story())


def test_a_sink_whose_options_have_changed_goes_on_at_the_new_place(web: Web) -> None:
    async def story() -> None:
        with Receiver(PROTOCOLS["http"]) as other:
            async with web.working() as worker:
                first = web.journal.lines(0, 10)
                await until(lambda: web.lines() == first)
                web.harness.options["http-url"] = f"http://127.0.0.1:{other.port}"
                web.harness.touch()
                await until(lambda: [d.tails for _, d in worker._destinations if d.state.batches == 0])
                second = web.journal.lines(10, 10)
                await until(lambda: [record.line for record in other.received] == second)
            assert web.lines() == first
            assert len(list(worker._destinations)) == 1

    asyncio.run(story())


class TestPauseBetweenLooks:
    def test_it_is_as_long_as_the_most_impatient_destination_waits_within_bounds(self) -> None:
        waits = (0.0, 0.05, 1.0, math.inf)
        assert [pause_between_looks(0.0001, wait) for wait in waits] == [0.02, 0.05, 0.2, 0.2]

    def test_looking_at_many_containers_takes_a_tenth_of_the_time_at_most(self) -> None:
        took = 0.01
        assert took / (took + pause_between_looks(took, 0.0)) <= 0.1001

    def test_it_is_never_long(self) -> None:
        assert pause_between_looks(1.0, 0.0) == 0.2
