"""Files of the data folder that hold anything: each is read, or told to be damaged; the server starts, others work."""

import contextlib
import json
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.options import SinkChoice, validate
from plugin.delivery.batch_notes import BatchNotes, NotedTail, _pack, notes_folder, remove_stale
from plugin.delivery.dead_letters import read_letter
from plugin.delivery.report import ShareStatus, read_status
from plugin.delivery.sharding import Share
from plugin.delivery.tail import Tail
from plugin.errors import JournalError
from plugin.intake.attachments import Attachment, Attachments
from plugin.journal.change_counters import GrowthListener
from plugin.journal.compression import compress_closed
from plugin.journal.cursors.placement import birth_by_cursors, first_cursors, misplaced_cursors
from plugin.journal.cursors.store import Cursor, floor_of_any, read_cursor, write_cursor
from plugin.journal.gap_marker import noted_gap
from plugin.journal.lag import measure_lag
from plugin.journal.layout import DataFolder, list_segments
from plugin.journal.losses import read_losses
from plugin.journal.metadata import read_metadata, write_metadata
from plugin.journal.readback import LogQuery, LogReading
from plugin.journal.retention import measure, remove_corrupt
from plugin.journal.seeking import frames_end, journal_end
from plugin.journal.writer import JournalWriter
from plugin.sinks.registry import schema
from plugin.status.client import ask_status
from plugin.status.client import read_status as decode_status
from tests.delivery.conftest import FakeSink
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import JSON, NESTS, TEXTS, changed, changed_json
from tests.intake.pump_harness import ONE, info_of
from tests.journal.entries import encode, entries, numbered, write_journal
from tests.sinks.receiving.process import Receivers
from tests.testbed.lifetimes import dying_engine, short_folder, tidy_server
from tests.testbed.printer import numbered as printed
from tests.testbed.printer import plain
from tests.testbed.server import Server

LINES = numbered(400, size=200)
NAMES = st.sampled_from(
    [
        "00000000000000000000.log",
        "00000000000000000007.log",
        "00000000000000000007.log.zst",
        "00000000000000000007.idx",
        f"{2**64:020}.gap",
        f"{2**64}.log",
        "9" * 20 + ".log",
        "9" * 20 + ".idx",
        "9" * 20 + ".gap",
        "٣" * 20 + ".log",
        "x.gap",
        ".gap",
        "9" * 40 + ".gap",
        f"{'9' * 20}-{'0' * 20}.retention.lost",
        f"{'0' * 20}-{'9' * 20}.disk-full.lost",
        f"{0:020}-{1:020}.x.lost",
        "00000000000000000007.corrupt",
        ".hidden",
        "new\nline",
        "info.json.bak",
        "ü.log",
    ]
)
CONTENTS = (
    st.binary(max_size=60) | entries(max_size=5).map(encode) | NESTS | JSON.map(lambda one: json.dumps(one).encode())
)


@contextmanager
def journal() -> Iterator[Path]:
    """Make a journal of several segments, compressed ones too, with all the files that it can have."""
    with tempfile.TemporaryDirectory(prefix="peavey-") as place:
        folder = Path(place, "containers", ONE)
        folder.parent.mkdir()
        write_journal(folder, encode(LINES), 20_000)
        compress_closed(folder, 40_000)
        write_metadata(folder, info_of(ONE), "stream", 12)
        write_cursor(folder, "http", Cursor(offset=500, resume=500, birth=12))
        (folder / f"{90_000:020}.gap").touch()
        (folder / f"{10:020}-{20:020}.retention.lost").touch()
        (folder / f"{10:020}.corrupt").write_bytes(b"x")
        yield folder


def read_all(folder: Path) -> None:
    """Do all that reads a journal; errors of the disk and of damaged files are told as such."""
    choice: SinkChoice = validate({"http-url": "http://127.0.0.1:1"}, {}, schema()).sinks[0]
    for read in (
        lambda: read_metadata(folder),
        lambda: read_cursor(folder, "http"),
        lambda: (noted_gap(folder), read_losses(folder), floor_of_any(folder)),
        lambda: birth_by_cursors(folder, 100),
        lambda: (misplaced_cursors(folder, 100, 12), first_cursors(folder, [choice])),
        lambda: (journal_end(folder), frames_end(folder), measure_lag(measure(folder), 500, 500)),
        lambda: show(folder),
        lambda: deliver(folder),
        lambda: JournalWriter(folder, 1 << 20).close(),
        lambda: (compress_closed(folder), remove_corrupt(folder, 1)),
    ):
        with contextlib.suppress(OSError, JournalError):
            read()


def show(folder: Path) -> None:
    for query in (LogQuery(), LogQuery(tail=3), LogQuery(since=5, until=100)):
        reading = LogReading(folder, query)
        try:
            while not reading.done and reading.read():
                pass
            reading.finish()
        finally:
            reading.close()


def deliver(folder: Path) -> None:
    tail = Tail(folder, "http", FakeSink(), "prepared", Cursor(offset=500, resume=500))  # type: ignore[arg-type]
    try:
        for _ in range(1_000):
            if not tail.read(10_000).more:
                return
    finally:
        tail.close()
    raise AssertionError("delivery comes to no end")


@fuzzed(0.3)
@given(data=st.data())
def test_a_file_of_a_journal(data: st.DataObject) -> None:
    with journal() as folder:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        path = data.draw(st.sampled_from(files))
        path.write_bytes(data.draw(changed(path.read_bytes()[:2_000]) | CONTENTS))
        read_all(folder)


@fuzzed(0.3)
@given(data=st.data())
def test_a_file_that_nobody_knows(data: st.DataObject) -> None:
    with journal() as folder:
        for name in data.draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)):
            (folder / name).write_bytes(data.draw(CONTENTS))
        read_all(folder)


@fuzzed(0.3)
@given(
    st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1) | st.integers(0, 100_000)] * 4), max_size=4), st.booleans()
)
def test_an_index(points: list[tuple[int, int, int, int]], begins: bool) -> None:
    with journal() as folder:
        for segment in list_segments(folder):
            first = [(segment.base, 0, 0, segment.base)] if begins else []
            content = b"".join(struct.pack("<qqqq", *point) for point in (*first, *points))
            (folder / f"{segment.base:020}.idx").write_bytes(content)
        read_all(folder)


SOUND_ATTACHMENT = msgspec.json.decode(msgspec.json.encode(Attachment(file="/a/b", info=info_of(ONE), started=1)))
SOUND_NOTE = {"info": SOUND_ATTACHMENT["info"], "birth": 12, "last_seen": 13, "stream": "b"}


@fuzzed()
@given(changed_json(SOUND_NOTE), changed_json(SOUND_ATTACHMENT))
def test_notes(note: bytes, attachment: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "info.json").write_bytes(note)
        (folder / "b.json").write_bytes(attachment)
        with contextlib.suppress(JournalError):
            read_metadata(folder)
        attachments = Attachments(folder)
        attachments.scan()
        attachments.find("b")


@fuzzed()
@given(changed_json({"refused": 1, "reason": "", "source": "stdout", "time": 1, "offset": 1, "line_base64": "eA=="}))
def test_a_dead_letter(line: bytes) -> None:
    letter = read_letter(line)
    if letter is not None:
        letter.record("prepared")


NOTED = (NotedTail("a" * 64, "http", 12, 100, 100, 3), NotedTail("b" * 64, "http", 12, 2**62, 5, 3))
SOUND_NOTED = _pack(NOTED, b"payload")
CONTAINER_NAMES = st.sampled_from(["a" * 64, "b" * 64, "", ".", "..", "../x", "/", "a/b", "\0", "x" * 300]) | TEXTS
HEADS = st.builds(
    _pack,
    st.lists(st.builds(NotedTail, CONTAINER_NAMES, TEXTS, *[st.integers(-(2**63), 2**63 - 1)] * 4), max_size=3).map(
        tuple
    ),
    st.binary(max_size=20),
)


@fuzzed()
@given(
    changed(SOUND_NOTED) | HEADS | st.binary(max_size=40), st.sampled_from(["x-0-1.note", "x-1-2.note", "y-0-1.note"])
)
def test_the_note_of_a_batch(content: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        data = DataFolder(place)
        notes_folder(data).mkdir(parents=True)
        (notes_folder(data) / name).write_bytes(content)
        notes = BatchNotes(data, Share(0, 1), "x", "http@a")
        notes.claim("a" * 64, "http")
        for _ in range(3):
            noted = notes.take()
            if noted is None:
                break
            with contextlib.suppress(OSError, JournalError):
                notes.settle(noted.tails)
            notes.remove()
        remove_stale(data)


SOUND_REPORT = msgspec.to_builtins(ShareStatus(pid=1, share=0, started=1, written=2, sinks=[], faults=["a"]))


@fuzzed(0.3)
@given(changed_json(SOUND_REPORT), st.binary(max_size=40))
def test_what_all_share(report: bytes, counters: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        data = DataFolder(place)
        (data.path / "delivery").mkdir()
        (data.path / "delivery" / "0.json").write_bytes(report)
        (data.path / "grown").write_bytes(counters)
        read_status(data)
        listener = GrowthListener(data)
        listener.listen()
        (data.path / "grown").write_bytes(counters * 3)
        listener.listen()


class Template:
    """A data folder as a server leaves it that was killed: containers that have stopped, and one that runs."""

    def __init__(self, folder: Path) -> None:
        with tidy_server(Server(folder)) as server:
            server.start()
            with dying_engine(folder) as engine, Receivers(folder) as receivers:
                options = receivers.down("http").options | {"max-size": "4k", "max-file": "100"}
                stopped = [engine.run(options) for _ in range(8)]
                for container in stopped:
                    container.print(b"".join(printed(300)))
                    container.stop()
                server.kill()
        self.data = server.data
        self.ids = [container.id for container in stopped]


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    with short_folder() as folder:
        yield Template(folder)


@fuzzed(0.04, shrinks=False)
@given(data=st.data())
def test_a_server_starts_whatever_lies_there(template: Template, data: st.DataObject) -> None:
    healthy, *others = template.ids
    with short_folder() as folder, Receivers(folder) as receivers:
        server = Server(folder)
        shutil.copytree(template.data, server.data)
        for container_id in others:
            journal_folder = server.data / "containers" / container_id
            files = sorted(path for path in journal_folder.rglob("*") if path.is_file())
            for path in data.draw(st.lists(st.sampled_from(files), max_size=3, unique=True)):
                path.write_bytes(data.draw(changed(path.read_bytes()[:2_000]) | CONTENTS))
            for name in data.draw(st.lists(NAMES, max_size=3, unique=True)):
                (journal_folder / name).write_bytes(data.draw(CONTENTS))
        for name in ("grown", "streams/a.json", "streams/b.json", "delivery/0.json", "reserve/1"):
            (server.data / name).parent.mkdir(exist_ok=True)
            (server.data / name).write_bytes(data.draw(CONTENTS))
        (server.data / "containers" / ("f" * 64)).write_bytes(b"a file")
        receiver = receivers.up("http")
        with tidy_server(server):
            server.start()
            with dying_engine(folder) as engine:
                container = engine.run(receiver.options)
                container.print(b"".join(printed(50)))
                assert [entry.line for entry in container.logs()] == printed(50)
                kept = engine.create(info={"ContainerID": healthy})
                assert [entry.line for entry in kept.logs()] == printed(300)
                shown = [one.id for one in decode_status(ask_status(server.socket)).containers]
                assert {container.id, healthy} <= set(shown)
                assert receiver.wait_for(container.name, plain(printed(50))[-1]) == plain(printed(50))
                container.stop()
                assert server.terminate() == 0
