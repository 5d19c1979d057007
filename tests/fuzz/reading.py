"""What the compiled modules make of bytes, in a form that can be compared: each function returns plain values."""

from typing import Any

from plugin.docker.frames import HEADER_SIZE, FrameError, decode_entry, encode_frame, entry_size
from plugin.docker.partials import Joiner
from plugin.journal.corruption import bytes_to_skip
from plugin.journal.read_frames import Reframer
from plugin.journal.scanner import Walker, frame_behind, missing_bytes
from plugin.records.decoder import Decoder


def entry(content: bytes) -> object:
    """Decode an entry, and encode it again."""
    try:
        found = decode_entry(content, 0, len(content))
    except FrameError as error:
        return str(error)
    return found, encode_frame(found)


def walk(content: bytes) -> object:
    """Walk over frames, as intake does."""
    walker = Walker(0, Joiner())
    walked = walker.walk(content)
    rest = content[walked:]
    return (
        *(walked, walker.offset, walker.lines, walker.latest, walker.malformed, walker.point(), list(walker.points)),
        *(frame_behind(content), bytes_to_skip(rest), missing_bytes(rest[:HEADER_SIZE]), len(rest)),
    )


def records(content: bytes) -> list[object]:
    """Decode frames into records, as delivery does, in pieces and with and without joining."""
    made: list[object] = []
    for joined in (True, False):
        for first in (0, len(content) // 2):
            decoder = Decoder("prepared", joined=joined, first=first, keeps_earlier=first > 0)
            used = decoder.feed(content[: len(content) // 2], 0)
            used += decoder.feed(content[used:], used)
            decoder.flush(used)
            made.append((used, decoder.holds, [_plain(one) for one in (*decoder.take(), *decoder.take_earlier())]))
    return made


def frames(content: bytes) -> list[object]:
    """Make frames anew, as `docker logs` does, with bounds and without."""
    made: list[object] = []
    for bounds in ({}, {"skip": 1}, {"since": 3, "until": 20}, {"first": len(content) // 2}):
        reframer = Reframer(**bounds)
        used = reframer.feed(content, 0)
        reframer.flush(used)
        made.append((used, reframer.done, reframer.take()))
    return made


def size(content: bytes) -> int:
    """Read a frame's header."""
    return entry_size(content.ljust(HEADER_SIZE, b"\0"), 0)


def _plain(record: Any) -> tuple[object, ...]:
    return (
        *(record.prepared, record.source, record.time_nano, record.line, record.offset, record.end, record.resume),
        *(record.part_id, record.part_ordinal, record.part_last),
    )
