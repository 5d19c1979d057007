"""On the way in and to ``docker logs``: frames, the walk over them, reframing, compression of what is full."""

from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from bench.journals import encoded
from bench.lines import numbered_line
from bench.micro.per_line import LINES, PerLine
from plugin.docker.frames import HEADER_SIZE, Entry, decode_entry, encode_frame, entry_size
from plugin.docker.partials import Joiner
from plugin.journal.compression import compress_closed
from plugin.journal.layout import segment_path
from plugin.journal.read_frames import Reframer
from plugin.journal.scanner import Walker

_SEGMENT_LINES = 50_000


def test_encode_frames(per_line: PerLine) -> None:
    entries = [Entry("stdout", 1_700_000_000_000_000_001 + number, numbered_line(number)) for number in range(LINES)]
    per_line("encode a frame", lambda: [encode_frame(entry) for entry in entries])


def test_decode_frames(per_line: PerLine, frames: bytes) -> None:
    def decode() -> int:
        count = position = 0
        while position < len(frames):
            end = position + HEADER_SIZE + entry_size(frames, position)
            decode_entry(frames, position + HEADER_SIZE, end)
            position = end
            count += 1
        return count

    assert per_line("decode a frame into an entry", decode) == LINES


def test_walk(per_line: PerLine, frames: bytes) -> None:
    def walk() -> int:
        walker = Walker(0, Joiner())
        walker.walk(frames)
        return walker.lines

    assert per_line("walk over the journal (intake)", walk) == LINES


def test_reframe(per_line: PerLine, frames: bytes) -> None:
    def reframe() -> int:
        reframer = Reframer()
        reframer.feed(frames, 0)
        return len(reframer.take())

    assert per_line("reframe for docker logs", reframe) == len(frames) + LINES  # newlines are added


def test_compress_a_segment(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    content = b"".join(encoded(iter(range(_SEGMENT_LINES))))

    def prepare() -> None:
        for file in tmp_path.iterdir():
            file.unlink()
        segment_path(tmp_path, 0).write_bytes(content)
        segment_path(tmp_path, len(content)).touch()

    benchmark.extra_info.update(name="compress a full segment (housekeeper)", lines=_SEGMENT_LINES)
    assert benchmark.pedantic(compress_closed, (tmp_path,), setup=prepare, rounds=3) == 1  # type: ignore[no-untyped-call]
