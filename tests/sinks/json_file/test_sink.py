"""The sink ``json-file``: its options, and files that are rotated and whole at every moment."""

import asyncio
import contextlib
import fcntl
import gzip
import json
import multiprocessing
import os
import resource
import signal
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgpack
import pytest

from plugin.config.files import FileAccess, FileRoot, restricted
from plugin.docker.info import Info
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Sink, UnavailableError
from plugin.sinks.json_file import rotating_file
from plugin.sinks.json_file.rotating_file import Rotation
from tests.sinks.factories import origin_of, records_of, sink_of
from tests.testbed.waiting import wait_until

OTHER = Info(container_id="ab" * 32, container_name="/db")


def encoder() -> Sink[Any]:
    return sink_of(json_file_path="/var/log/containers/{{.Name}}.log")


def deliver(sink: Sink[Any], *payloads: bytes) -> None:
    """Send payloads one after the other."""

    async def run() -> None:
        for payload in payloads:
            await sink.send(payload)

    asyncio.run(run())


class TestOptions:
    @pytest.mark.parametrize("path", ["x.log", "", "/", "/var/log/", "{{.Name}}", "/var/{{.Nmae}}.log"])
    def test_a_path_is_absolute_and_its_template_right(self, path: str) -> None:
        with pytest.raises(OptionError, match="json-file-path"):
            sink_of(sink="json-file", json_file_path=path)

    def test_compressing_needs_a_second_file(self) -> None:
        with pytest.raises(OptionError, match="'json-file-compress' needs 'json-file-max-file' of at least 2"):
            sink_of(json_file_path="/x.log", json_file_max_file="1", json_file_compress="true")

    @pytest.mark.parametrize("value", ["../../etc/cron.d/x", "", "/", "..", "a/..", "a\0b"])
    def test_a_container_cannot_lead_out_of_the_folder(self, tmp_path: Path, value: str) -> None:
        template = f'{tmp_path}/logs/{{{{index .ContainerLabels "name"}}}}'
        sink = sink_of(json_file_path=template)
        with pytest.raises(MisconfiguredError, match="not a file below"):
            sink.prepare(origin_of(Info(container_id="ab" * 32, container_labels={"name": value})))


class TestWhereFilesMayLie:
    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[Path]:
        """A folder with a data folder in it, and a root for files."""
        for name in ("logging/peavey/containers", "logs"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "logging/peavey/containers/0.log").write_bytes(b"frames")
        root = FileRoot(str(tmp_path / "logs"), writable=True)
        data, fifos = tmp_path / "logging" / "peavey", tmp_path / "logging"
        with restricted(FileAccess((root,), str(data), str(fifos))):
            yield tmp_path

    @pytest.mark.parametrize(
        "path", ["logging/peavey/containers/0.log", "logging/fifo", "logging/{{.ID}}", "other.log", "logs/../x.log"]
    )
    def test_a_container_is_refused_that_names_another_place(self, host: Path, path: str) -> None:
        with pytest.raises(OptionError, match=r"log-opt 'json-file-path': '.*' (lies in|is not below)"):
            sink_of(json_file_path=f"{host}/{path}")

    def test_a_link_to_another_place_is_not_written_through(self, host: Path) -> None:
        target = host / "logging/peavey/containers/0.log"
        (host / "logs" / "file.log").symlink_to(target)
        (host / "logs" / "folder").symlink_to(target.parent)
        for path in ("file.log", "folder/0.log", "folder/new/x.log"):
            sink = sink_of(json_file_path=f"{host}/logs/{path}")
            with pytest.raises(MisconfiguredError, match=r"data folder|is a symbolic link"):
                deliver(sink, sink.encode(records_of(sink, [b"1"])))
        assert target.read_bytes() == b"frames"
        assert os.listdir(target.parent) == ["0.log"]

    def test_a_link_is_not_followed_to_a_file_of_the_root_either(self, host: Path) -> None:
        (host / "logs" / "file.log").symlink_to(host / "logs" / "other.log")
        sink = sink_of(json_file_path=f"{host}/logs/file.log")
        with pytest.raises(MisconfiguredError, match="it is a symbolic link, which is not followed"):
            deliver(sink, sink.encode(records_of(sink, [b"1"])))
        assert not (host / "logs" / "other.log").exists()

    def test_the_compressed_file_is_not_written_through_a_link(self, host: Path) -> None:
        target = host / "logging/peavey/containers/0.log"
        (host / "logs" / ".a.log.1.gz.unfinished").symlink_to(target)
        sink = sink_of(json_file_path=f"{host}/logs/a.log", json_file_max_size="1", json_file_compress="true")
        payload = sink.encode(records_of(sink, [b"1", b"2"]))
        deliver(sink, payload)
        assert (host / "logs" / "a.log.1.gz").exists()
        assert target.read_bytes() == b"frames"


class TestFiles:
    def test_each_container_has_its_file_in_folders_that_are_made(self, tmp_path: Path) -> None:
        sink = sink_of(json_file_path=f"{tmp_path}/logs/{{{{.Name}}}}/{{{{.ID}}}}.log")
        records = records_of(sink, [b"1", b"2"]) + records_of(sink, [b"3"], origin_of(OTHER))
        deliver(sink, sink.encode([records[0], records[2], records[1]]))
        assert logs(tmp_path / "logs/web/8c1f8c1f8c1f.log") == ["1\n", "2\n"]
        assert logs(tmp_path / "logs/db/abababababab.log") == ["3\n"]
        assert stat.S_IMODE((tmp_path / "logs/db/abababababab.log").stat().st_mode) == 0o640

    def test_files_are_rotated_at_the_same_lines_as_dockers(self, tmp_path: Path) -> None:
        """As TestJSONFileLoggerWithOpts of moby's jsonfilelog_test.go, whose lines are of the same length."""
        file = tmp_path / "container.log"
        sink = sink_of(
            json_file_path=str(file), json_file_max_size="1k", json_file_max_file="3", json_file_compress="true"
        )
        records = records_of(sink, [b"line%d" % number for number in range(36)], origin_of(tag=""))
        for record in records:
            record.time_nano = 0
        path, content = msgpack.unpackb(sink.encode(records))
        deliver(sink, msgpack.packb((path, content.replace(b'"stdout"', b'"src1"'))))
        assert logs_gz(tmp_path / "container.log.2.gz") == [f"line{number}\n" for number in range(16)]
        assert logs_gz(tmp_path / "container.log.1.gz") == [f"line{number}\n" for number in range(16, 32)]
        assert logs(file) == [f"line{number}\n" for number in range(32, 36)]
        assert len(list(tmp_path.iterdir())) == 3

    def test_the_oldest_file_is_removed(self, tmp_path: Path) -> None:
        sink = sink_of(json_file_path=f"{tmp_path}/a.log", json_file_max_size="1", json_file_max_file="3")
        deliver(sink, sink.encode(records_of(sink, [b"1", b"2", b"3", b"4", b"5"])))
        assert {name: logs(tmp_path / name) for name in os.listdir(tmp_path)} == {
            "a.log": ["5\n"],
            "a.log.1": ["4\n"],
            "a.log.2": ["3\n"],
        }

    def test_with_one_file_only_it_begins_anew(self, tmp_path: Path) -> None:
        sink = sink_of(json_file_path=f"{tmp_path}/a.log", json_file_max_size="1", json_file_max_file="1")
        deliver(sink, sink.encode(records_of(sink, [b"1", b"2"])))
        assert os.listdir(tmp_path) == ["a.log"]
        assert logs(tmp_path / "a.log") == ["2\n"]

    @pytest.mark.parametrize("rest", ['{"log":"torn', "{", '{"time":"2023-', '{"log":"' + "x" * 200_000])
    @pytest.mark.parametrize("before", ["", '{"log":"whole\\n"}\n'])
    def test_what_a_crash_left_of_a_line_is_cut_off(self, tmp_path: Path, before: str, rest: str) -> None:
        file = tmp_path / "a.log"
        file.write_text(before + rest)
        sink = sink_of(json_file_path=str(file))
        deliver(sink, sink.encode(records_of(sink, [b"next"])))
        assert logs(file) == ["whole\n"] * bool(before) + ["next\n"]

    def test_what_somebody_else_wrote_is_kept(self, tmp_path: Path) -> None:
        file = tmp_path / "a.log"
        file.write_text("not ours")
        sink = sink_of(json_file_path=str(file))
        deliver(sink, sink.encode(records_of(sink, [b"next"])))
        first, second = file.read_text().splitlines()
        assert first == "not ours"
        assert json.loads(second)["log"] == "next\n"

    def test_a_file_that_was_moved_away_is_made_anew(self, tmp_path: Path) -> None:
        file = tmp_path / "a.log"
        sink = sink_of(json_file_path=str(file))
        deliver(sink, sink.encode(records_of(sink, [b"1"])))
        file.rename(tmp_path / "b.log")
        deliver(sink, sink.encode(records_of(sink, [b"2"])))
        assert logs(tmp_path / "b.log") == ["1\n"]
        assert logs(file) == ["2\n"]

    def test_a_full_disk_leaves_whole_lines_and_nothing_is_written_twice(self, tmp_path: Path) -> None:
        """The limit on a file's size stands for the disk's: both end a write in its middle."""
        sink = sink_of(json_file_path=f"{tmp_path}/{{{{.Name}}}}.log")
        records = records_of(sink, [b"1"], origin_of(OTHER)) + records_of(sink, [b"x" * 1000] * 10)
        payload = sink.encode(records)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1]))
        try:
            with pytest.raises(UnavailableError, match=r"cannot write .*web\.log': File too large"):
                deliver(sink, payload)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (tmp_path / "web.log").read_bytes() == b""
        deliver(sink, payload)
        assert len(logs(tmp_path / "web.log")) == 10
        assert logs(tmp_path / "db.log") == ["1\n"]

    def test_what_cannot_be_a_file_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "folder.log").mkdir()
        os.mkfifo(tmp_path / "fifo.log")
        (tmp_path / "file").touch()
        for name in ("folder.log", "fifo.log", "file/a.log"):
            sink = sink_of(json_file_path=f"{tmp_path}/{name}")
            with pytest.raises(MisconfiguredError, match="cannot write"):
                deliver(sink, sink.encode(records_of(sink, [b"1"])))

    def test_a_file_is_full_with_the_line_that_reaches_its_size(self, tmp_path: Path) -> None:
        lines = b"ab\ncd\nef\n"
        for size, end in ((1, 3), (3, 3), (4, 6), (6, 6), (7, 9), (100, 9)):
            file = tmp_path / f"{size}.log"
            assert rotating_file.append(file, lines, 0, Rotation(size, 2, compress=False)) == end
            assert file.read_bytes() == lines[:end]

    def test_a_file_that_is_rotated_while_one_waits_for_it_is_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "a.log"
        file.write_bytes(b"old\n")

        def lock_late(number: int, path: Path) -> None:
            if path.read_bytes() == b"old\n":
                path.rename(tmp_path / "a.log.1")
            fcntl.flock(number, fcntl.LOCK_EX)

        monkeypatch.setattr(rotating_file, "_lock", lock_late)
        rotating_file.append(file, b"new\n", 0, Rotation(100, 2, compress=False))
        assert (tmp_path / "a.log.1").read_bytes() == b"old\n"
        assert file.read_bytes() == b"new\n"

    @pytest.mark.parametrize("locked", ["a.log", "."])
    def test_neither_the_file_nor_its_rotation_is_touched_while_another_is_at_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
    ) -> None:
        file = tmp_path / "a.log"
        file.write_bytes(b"old\n")
        monkeypatch.setattr(rotating_file, "_LOCK_LIMIT", 0.05)
        other = os.open(tmp_path / locked, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        sink = sink_of(json_file_path=str(file), json_file_max_size="4")
        with pytest.raises(UnavailableError, match="another process has held the lock"):
            deliver(sink, sink.encode(records_of(sink, [b"1"])))
        assert file.read_bytes() == b"old\n"
        os.close(other)
        deliver(sink, sink.encode(records_of(sink, [b"1"])))
        assert logs(file) == ["1\n"]

    def test_of_what_is_given_up_no_further_file_is_begun(self, tmp_path: Path) -> None:
        sink = sink_of(json_file_path=f"{tmp_path}/{{{{.Name}}}}.log")
        payload = sink.encode(records_of(sink, [b"1"], origin_of(OTHER)) + records_of(sink, [b"2"]))
        first = tmp_path / "db.log"

        async def give_up() -> None:
            sending = asyncio.create_task(sink.send(payload))
            while not first_is_waited_for():  # noqa: ASYNC110 (nothing else tells)
                await asyncio.sleep(0.001)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

        def first_is_waited_for() -> bool:
            return sum(link == str(first) for link in open_files()) > 1

        with first.open("wb") as locked:
            fcntl.flock(locked, fcntl.LOCK_EX)
            asyncio.run(give_up())
        sink._thread.shutdown()  # type: ignore[attr-defined]
        assert os.listdir(tmp_path) == ["db.log"]

    def test_look_ups_that_hang_do_not_hold_up_files(self, tmp_path: Path) -> None:
        sink = sink_of(json_file_path=f"{tmp_path}/a.log")
        released = threading.Event()

        async def write() -> None:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(ThreadPoolExecutor(1))
            hanging = loop.run_in_executor(None, released.wait)
            await sink.send(sink.encode(records_of(sink, [b"1"])))
            assert not hanging.done()
            released.set()
            await hanging
            await sink.close()

        asyncio.run(write())
        assert logs(tmp_path / "a.log") == ["1\n"]

    def test_several_processes_share_a_file_and_its_rotation(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rotating_file, "_LOCK_LIMIT", 120.0)
        workers = [
            multiprocessing.get_context("fork").Process(target=append_many, args=(tmp_path / "a.log", number))
            for number in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        lines = [line for file in tmp_path.iterdir() for line in content(file).splitlines()]
        assert sorted(map(json.loads, lines), key=str) == sorted(
            ({"log": f"{number} {line}"} for number in range(4) for line in range(300)), key=str
        )

    def test_a_kill_leaves_no_torn_line_behind(self, tmp_path: Path) -> None:
        file = tmp_path / "a.log"
        for _ in range(5):
            worker = multiprocessing.get_context("fork").Process(target=append_for_ever, args=(file,))
            worker.start()
            wait_until(lambda: file.exists() and file.stat().st_size > 100_000, "lines in the file")
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
            rotating_file.append(file, b'{"log":"after"}\n', 0, Rotation(2**40, 2, compress=False))
            assert {json.loads(line)["log"] for line in file.read_text().splitlines()} == {"x" * 5000, "after"}
            file.unlink()


def open_files() -> Iterator[str]:
    """What this process has open, by name."""
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            yield os.readlink(f"/proc/self/fd/{number}")


def append_many(file: Path, number: int) -> None:
    """Add lines one by one, with a rotation after every few."""
    for line in range(300):
        entry = json.dumps({"log": f"{number} {line}"}).encode() + b"\n"
        position = 0
        while position < len(entry):
            position = rotating_file.append(file, entry, position, Rotation(100, 500, compress=line % 7 == 0))


def append_for_ever(file: Path) -> None:
    lines = b"".join(b'{"log":"%s"}\n' % (b"x" * 5000) for _ in range(50))
    while True:
        rotating_file.append(file, lines, 0, Rotation(2**40, 2, compress=False))


def content(file: Path) -> str:
    data = file.read_bytes()
    return (gzip.decompress(data) if file.suffix == ".gz" else data).decode()


def logs(file: Path) -> list[str]:
    return [json.loads(line)["log"] for line in file.read_text().splitlines()]


def logs_gz(file: Path) -> list[str]:
    return [json.loads(line)["log"] for line in content(file).splitlines()]
