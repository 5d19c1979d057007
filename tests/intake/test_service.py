"""Intake as the rest of the program sees it, with its threads running."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plugin.config.options import validate, validate_leniently
from plugin.errors import RequestError
from plugin.intake import attachments as attachments_module
from plugin.intake import pump as pump_module
from plugin.intake import service as service_module
from plugin.intake import stream as stream_module
from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.layout import DataFolder, list_segments
from plugin.journal.metadata import read_metadata
from plugin.journal.retention import LEAST_SEGMENT
from tests.intake.pump_harness import ONE, OTHER, Fifo, PumpHarness, frames, info_of
from tests.journal.entries import on_disk

WHOLE = frames(3)
OPTIONS = validate({})


def new_intake(data: DataFolder, logging_dir: Path) -> Intake:
    return Intake(data, logging_dir, DiskBounds(None, None, None), lambda info: validate_leniently(info.options)[0])


@pytest.fixture
def intake(harness: PumpHarness) -> Iterator[Intake]:
    """An intake that runs; of the harness only the folders and the engine are used."""
    made = new_intake(harness.data, harness.logging)
    made.start()
    yield made
    made.stop()


def attach(intake: Intake, fifo: Fifo, container: str = ONE) -> None:
    intake.attach(str(fifo.path), info_of(container), OPTIONS)


class TestAttaching:
    def test_a_stream_is_noted_read_and_ended(self, harness: PumpHarness, intake: Intake) -> None:
        fifo = harness.fifo("a")
        attach(intake, fifo)
        assert intake.is_attached(str(fifo.path), info_of())
        fifo.write(WHOLE)
        assert intake.detach(str(fifo.path)).result()
        assert harness.written() == WHOLE
        assert not intake.is_attached(str(fifo.path), info_of())
        assert not intake.detach(str(fifo.path)).result()

    def test_a_stream_that_cannot_be_noted_is_read_all_the_same(
        self, harness: PumpHarness, intake: Intake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        fifo = harness.fifo("a")
        monkeypatch.setattr(Attachments, "save", refuse)
        attach(intake, fifo)
        fifo.write(WHOLE)
        intake.drain().result()
        assert harness.written() == WHOLE
        assert harness.attached() == set()
        assert "cannot save the attachment" in caplog.text
        assert intake._pump.unsaved() == {"a"}, "it is tried again"

    def test_a_fifo_that_cannot_be_opened_leaves_no_attachment(
        self, harness: PumpHarness, intake: Intake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = harness.fifo("a")
        save = Attachments.save

        def save_while_the_engine_gives_up(attachments: Attachments, attachment: Attachment) -> None:
            save(attachments, attachment)
            fifo.path.unlink()

        monkeypatch.setattr(Attachments, "save", save_while_the_engine_gives_up)
        with pytest.raises(RequestError, match="a cannot be opened: No such file"):
            attach(intake, fifo)
        assert harness.attached() == set()

    def test_a_fifo_belongs_to_one_container(self, harness: PumpHarness, intake: Intake) -> None:
        fifo = harness.fifo("a")
        attach(intake, fifo)
        with pytest.raises(RequestError, match="is the stream of another container, 111111111111"):
            intake.is_attached(str(fifo.path), info_of(OTHER))

    def test_one_of_the_same_name_elsewhere_is_not_attached(self, harness: PumpHarness, intake: Intake) -> None:
        attach(intake, harness.fifo("a"))
        assert not intake.is_attached("/elsewhere/a", info_of())

    def test_one_that_begins_while_others_are_attached_again_is_left_alone(
        self, harness: PumpHarness, intake: Intake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fifo = harness.fifo("a")
        fifo.end()
        save = Attachments.save

        def save_while_others_are_attached_again(attachments: Attachments, attachment: Attachment) -> None:
            save(attachments, attachment)
            intake._pump.call(intake._attach_again).result()

        monkeypatch.setattr(Attachments, "save", save_while_others_are_attached_again)
        attach(intake, fifo)
        intake._pump.call(intake._attach_again).result()
        fifo.connect()
        fifo.write(WHOLE)
        intake.drain().result()
        assert harness.written() == WHOLE
        assert harness.attached() == harness.fifos() == {"a"}


class TestFifos:
    def test_one_in_the_logging_folder_is_accepted(self, harness: PumpHarness, intake: Intake) -> None:
        intake.check_fifo(str(harness.fifo("0123-_.x").path))

    @pytest.mark.parametrize(
        "text", ["", "a", "{}/", "{}/../logging/a", "{}//a", "{}/./a", "/{}/a", "{}/a/", "{}/.a", "{}/a b", "{}/ä"]
    )
    def test_a_path_that_is_written_otherwise_is_refused(self, harness: PumpHarness, intake: Intake, text: str) -> None:
        harness.fifo("a")
        with pytest.raises(RequestError, match="does not name a FIFO in the logging folder"):
            intake.check_fifo(text.format(harness.logging))

    @pytest.mark.parametrize(
        ("name", "message"), [("file", "is not a FIFO"), ("link", "is not a FIFO"), ("none", "No such file")]
    )
    def test_what_is_none_is_refused(self, harness: PumpHarness, intake: Intake, name: str, message: str) -> None:
        (harness.logging / "file").touch()
        (harness.logging / "link").symlink_to(harness.fifo("a").path)
        with pytest.raises(RequestError, match=message):
            intake.check_fifo(f"{harness.logging}/{name}")

    def test_that_of_a_refused_start_is_removed_if_it_is_there(self, harness: PumpHarness, intake: Intake) -> None:
        fifo = harness.fifo("a")
        intake.remove_refused(str(fifo.path))
        intake.remove_refused(str(fifo.path))
        assert harness.fifos() == set()


class TestLives:
    def test_the_next_process_goes_on_with_all_streams(self, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        first, second = (new_intake(harness.data, harness.logging) for _ in range(2))
        first.start()
        attach(first, fifo)
        fifo.write(WHOLE[:50])
        first.stop()
        fifo.write(WHOLE[50:])
        second.start()
        second.drain().result()
        second.stop()
        assert harness.written() == WHOLE
        assert harness.attached() == harness.fifos() == {"a"}

    @pytest.mark.parametrize("leave", ["nothing", "file"])
    def test_what_is_no_fifo_any_more_is_not_attached_again_and_others_are(
        self, harness: PumpHarness, leave: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        gone, stays = harness.fifo("gone"), harness.fifo("stays")
        for fifo in (gone, stays):
            harness.attachments.save(harness.attachment(fifo))
        gone.path.unlink()
        if leave == "file":
            gone.path.touch()
        stays.write(WHOLE)
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        intake.drain().result()
        intake.stop()
        assert harness.written() == WHOLE
        assert harness.attached() == {"stays"}
        assert "stream gone: not attached again" in caplog.text

    def test_a_stream_whose_engine_is_gone_is_ended(self, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        fifo.end()
        harness.attachments.save(harness.attachment(fifo))
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        assert intake.collect(ONE).result() == []
        intake.stop()
        assert harness.attached() == harness.fifos() == set()

    def test_a_container_whose_journal_is_damaged_keeps_no_other_from_being_attached_again(
        self, harness: PumpHarness
    ) -> None:
        for name, container in (("a", ONE), ("b", OTHER)):
            harness.attachments.save(harness.attachment(harness.fifo(name), container))
        harness.data.container(ONE).mkdir()
        (harness.data.container(ONE) / "info.json").write_bytes(b'{"info": "\xff"}')
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        streams = [stream.name for container in (ONE, OTHER) for stream in intake.collect(container).result()]
        intake.stop()
        assert streams == ["a", "b"]

    def test_a_stream_that_is_attached_again_has_its_containers_options(self, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        intake = Intake(
            harness.data,
            harness.logging,
            DiskBounds(None, None, None),
            lambda _: validate({"max-size": "1", "max-file": "9"}),
        )
        harness.attachments.save(harness.attachment(fifo))
        intake.start()
        intake.drain().result()
        for _ in range(LEAST_SEGMENT // len(WHOLE) // 100 + 1):
            fifo.write(WHOLE * 100)
            intake.drain().result()
        fifo.write(WHOLE)
        intake.drain().result()
        segments = list_segments(harness.data.container(ONE))
        intake.stop()
        assert len(segments) > 1

    def test_it_does_not_stop_the_pump_before_the_housekeeper(self, harness: PumpHarness) -> None:
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        intake.stop()
        assert not [thread for thread in threading.enumerate() if thread.name in ("pump", "housekeeper")]


class TestWhatCannotBeAttachedAgainYet:
    """It is tried again until it can be, and each is logged."""

    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service_module, "_ATTACH_RETRY", 0.05)

    @pytest.mark.parametrize("refused", ["read_regular", "open", "list_segments"])
    def test_for_want_of_descriptors(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, refused: str
    ) -> None:
        caplog.set_level(logging.INFO)
        modules: dict[str, object] = {"read_regular": attachments_module, "open": os, "list_segments": pump_module}
        original = getattr(modules[refused], refused)
        lacking = threading.Event()
        names = [f"stream-{number}" for number in range(5)]
        for number, name in enumerate(names):
            fifo = harness.fifo(name)
            harness.attachments.save(harness.attachment(fifo, f"{number}" * 64))
            fifo.write(WHOLE)

        def refuse(path: object, *arguments: object, **more: object) -> object:
            if not lacking.is_set() and (refused == "list_segments" or "stream-" in str(path)):
                raise OSError(24, "Too many open files")
            return original(path, *arguments, **more)

        monkeypatch.setattr(modules[refused], refused, refuse)
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        intake.drain().result()
        lacking.set()
        wait_until(lambda: len(intake.snapshot()[0]) == 5)
        intake.drain().result()
        intake.stop()
        assert [harness.written(f"{number}" * 64) for number in range(5)] == [WHOLE] * 5
        for name in names:
            assert f"stream {name}: attached again" in caplog.text

    def test_a_damaged_attachment_is_made_anew_from_the_journal_that_names_it(self, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        harness.attachments.save(harness.attachment(fifo))
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        fifo.write(WHOLE)
        intake.drain().result()
        intake.stop()
        (harness.data.streams / "a.json").write_bytes(b"{")
        fifo.write(WHOLE)
        again = new_intake(harness.data, harness.logging)
        again.start()
        again.drain().result()
        again.stop()
        assert harness.written() == WHOLE + WHOLE
        assert harness.attached() == {"a"}

    def test_one_that_no_journal_names_is_set_aside(
        self, harness: PumpHarness, caplog: pytest.LogCaptureFixture
    ) -> None:
        (harness.data.streams / "a.json").write_bytes(b"{")
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        intake.drain().result()
        intake.stop()
        assert (harness.data.streams / "a.damaged").exists()
        assert "stream a: lost" in caplog.text


class TestAJournalWithoutItsNote:
    """A full disk did not take it while the container lived: its attachment stays, and tells whose it is."""

    def test_is_noted_by_the_next_process(self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(stream_module, "write_metadata", refuse)
            fifo = harness.begin("a")
            fifo.write(WHOLE)
            harness.turn()
            harness.pump.detach("a")
            harness.pump.do_chores(0.0)
            assert harness.attached() == {"a"}
        fifo.path.unlink()
        intake = new_intake(harness.data, harness.logging)
        intake.start()
        intake.drain().result()
        intake.stop()
        note = read_metadata(harness.data.container(ONE))
        assert note is not None
        assert (note.info.container_id, note.stream) == (ONE, "a")
        assert note.birth > 0
        assert harness.attached() == set()
        assert harness.written() == WHOLE

    def test_is_noted_when_there_is_room_and_the_attachment_goes(
        self, harness: PumpHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(stream_module, "write_metadata", refuse)
            harness.begin("a").write(WHOLE)
            harness.turn()
            harness.pump.detach("a")
            assert harness.attached() == {"a"}
        harness.pump.do_chores(0.0)
        assert harness.attached() == set()
        assert read_metadata(harness.data.container(ONE)) is not None


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestFollowers:
    def test_they_are_told_of_their_container_until_they_unsubscribe(
        self, harness: PumpHarness, intake: Intake
    ) -> None:
        told: queue.SimpleQueue[str] = queue.SimpleQueue()
        callbacks: list[Callable[[], None]] = [lambda: told.put("first"), lambda: told.put("second")]
        for callback in callbacks:
            intake.subscribe(ONE, callback)
        for name, container in (("other", OTHER), ("a", ONE)):
            attach(intake, harness.fifo(name), container)
        os.write(os.open(harness.logging / "other", os.O_RDWR), WHOLE)
        intake.collect(OTHER).result()
        assert told.empty()

        descriptor = os.open(harness.logging / "a", os.O_RDWR)
        os.write(descriptor, WHOLE)
        assert {told.get(timeout=120), told.get(timeout=120)} == {"first", "second"}
        intake.unsubscribe(ONE, callbacks[0])
        intake.drain().result()
        while not told.empty():
            told.get()
        os.write(descriptor, WHOLE)
        assert told.get(timeout=120) == "second"
        intake.unsubscribe(ONE, callbacks[1])
        os.close(descriptor)

    def test_the_end_of_a_stream_is_told(self, harness: PumpHarness, intake: Intake) -> None:
        ended = threading.Event()
        fifo = harness.fifo("a")
        attach(intake, fifo)
        streams = intake.collect(ONE).result()
        intake.subscribe(ONE, lambda: ended.set() if streams[0].closed else None)
        fifo.end()
        assert ended.wait(120)
        assert on_disk(harness.data.container(ONE)) == {}
