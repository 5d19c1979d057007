"""The sink ``json-file``: Docker's lines byte for byte, in files that are rotated and whole at every moment."""

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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.info import Info
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, Sink, UnavailableError
from plugin.sinks.json_file import encoder as encoder_module
from plugin.sinks.json_file import rotating_file
from plugin.sinks.json_file.rotating_file import Rotation
from tests.sinks.factories import origin_of, records_of, sink_of
from tests.sinks.strategies import SECOND, batches
from tests.testbed.waiting import wait_until

OTHER = Info(container_id="ab" * 32, container_name="/db")


def lines_of(sink: Sink[Any], *lines: bytes, **made: Any) -> str:
    """Encode lines of one container, and give what its file gets."""
    payload = sink.encode(records_of(sink, lines, made.pop("origin", None) or origin_of(tag=""), **made))
    _, content = msgpack.unpackb(payload)
    return str(content, "utf-8")


def encoder() -> Sink[Any]:
    return sink_of(json_file_path="/var/log/containers/{{.Name}}.log")


def deliver(sink: Sink[Any], *payloads: bytes) -> None:
    """Send payloads one after the other."""

    async def run() -> None:
        for payload in payloads:
            await sink.send(payload)

    asyncio.run(run())


class TestLines:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [  # those of TestJSONLogsMarshalJSONBuf in moby's jsonlogbytes_test.go
            (b'"A log line with \\\\"', rb"\"A log line with \\\\\""),
            (b"A log line", b"A log line"),
            (b"A log line with \r", rb"A log line with \r"),
            (b"A log line with & < >", rb"A log line with \u0026 \u003c \u003e"),
            ("A log line with utf8 : 🚀 ψ ω β".encode(), "A log line with utf8 : 🚀 ψ ω β".encode()),
            ("\u2028 \u2029".encode(), rb"\u2028 \u2029"),
            (b"\xaf", rb"\ufffd"),
            (b"\x7f", b"\x7f"),
            # and more, of the rules in jsonlogbytes.go
            (b"\t\b\f\0\x1f", rb"\u0009\u0008\u000c\u0000\u001f"),
            (b"\xe2\x82x\xed\xa0\x80\xf0\x9f\x9a", rb"\ufffd\ufffdx\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"),
            ("\ufffd".encode(), "\ufffd".encode()),
            (b"with \n inside", rb"with \n inside"),
            (b"", b""),
        ],
    )
    def test_a_line_is_escaped_as_docker_does(self, line: bytes, expected: bytes) -> None:
        for others in ((), (b"plain",), ("größer".encode(),), (b"two\nlines\x01",)):
            escaped = encoder_module.escape([*others, line, *others])
            assert escaped[len(others)] == expected

    @given(st.lists(st.binary()))
    def test_lines_escaped_together_are_as_if_each_alone(self, lines: list[bytes]) -> None:
        assert encoder_module.escape(lines) == [goes_escape(line).encode() for line in lines]

    def test_a_line_is_an_object_in_dockers_order(self) -> None:
        assert lines_of(encoder(), b"line1") == (
            '{"log":"line1\\n","stream":"stdout","time":"2023-11-14T22:13:20.123456789Z"}\n'
        )

    def test_attributes_and_the_tag_are_sorted_and_escaped_as_go_does(self) -> None:
        attributes = {"zone": "a&b", "app": "<\u2028ü\t\x7f", "tag": "label"}
        assert lines_of(encoder(), b"x", source="stderr", origin=origin_of(tag="8c1f/web", attributes=attributes)) == (
            '{"log":"x\\n","stream":"stderr","attrs":{"app":"\\u003c\\u2028ü\\t\x7f","tag":"8c1f/web","zone":"a\\u0026b"}'
            ',"time":"2023-11-14T22:13:20.123456789Z"}\n'
        )

    @pytest.mark.parametrize(
        ("time", "expected"),
        [
            (0, "1970-01-01T00:00:00Z"),
            (1, "1970-01-01T00:00:00.000000001Z"),
            (1_500_000_000, "1970-01-01T00:00:01.5Z"),
            (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
            (-(2**63), "1677-09-21T00:12:43.145224192Z"),
        ],
    )
    def test_times_are_rfc3339_without_zeros_at_their_end(self, time: int, expected: str) -> None:
        assert json.loads(lines_of(encoder(), b"x", time=time))["time"] == expected

    def test_only_the_last_part_of_a_line_has_a_newline(self) -> None:
        sink = encoder()
        assert not sink.joins_parts
        records = records_of(sink, [b"one", b"", b"two"], origin_of(tag=""), time=5)
        for ordinal, record in enumerate(records, start=1):
            record.part_id, record.part_ordinal, record.time_nano = "1f00", ordinal, 5
        records[-1].part_last = True
        _, content = msgpack.unpackb(sink.encode(records))
        assert content.decode().splitlines() == [
            '{"log":"one","stream":"stdout","time":"1970-01-01T00:00:00.000000005Z"}',
            '{"stream":"stdout","time":"1970-01-01T00:00:00.000000005Z"}',
            '{"log":"two\\n","stream":"stdout","time":"1970-01-01T00:00:00.000000005Z"}',
        ]

    @given(st.data())
    def test_any_batch_is_its_records_one_by_one_in_their_files(self, data: st.DataObject) -> None:
        sink = encoder()
        origins = [origin_of(tag=""), origin_of(OTHER, attributes={"app": "a&b\ud800"})]
        records = data.draw(batches([sink.prepare(origin) for origin in (*origins, origins[0])]))
        files: dict[bytes, bytes] = {}
        for record in records:
            path = record.prepared.path
            files[path] = files.get(path, b"") + plainly(record).encode()
        assert sink.encode(records) == b"".join(map(msgpack.packb, files.items()))


def plainly(record: Record) -> str:
    """Write one record without regard to any other."""
    after = record.prepared.after_line[record.source].decode()
    line = goes_escape(record.line) + ("" if record.part_ordinal and not record.part_last else "\\n")
    seconds, nanos = divmod(record.time_nano, SECOND)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    fraction = f".{nanos:09}".rstrip("0").rstrip(".")
    begin = f'{{"log":"{line}{after}' if line else "{" + after.removeprefix('",')
    return f'{begin}{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"}}\n'


def goes_escape(line: bytes) -> str:
    """Escape a line rune by rune, as ``ffjsonWriteJSONBytesAsString`` of moby's jsonlogbytes.go does."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r"}
    escaped = ""
    while line:
        size = next((size for size in range(1, 5) if is_rune(line[:size])), 0)
        rune = line[:size].decode() if size else ""
        line = line[size or 1 :]
        if not rune:
            escaped += "\\ufffd"
        elif rune in short:
            escaped += short[rune]
        elif rune < " " or rune in "<>&\u2028\u2029":
            escaped += f"\\u{ord(rune):04x}"
        else:
            escaped += rune
    return escaped


def is_rune(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1
    except UnicodeDecodeError:
        return False


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
