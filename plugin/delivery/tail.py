"""Tails: one container's journal on its way to one destination."""

import logging
import os
import time
from pathlib import Path
from typing import Any

from plugin.delivery.dead_letters import bury
from plugin.docker.frames import HEADER_SIZE, MAX_ENTRY_SIZE, MAX_FRAME_SIZE, entry_size
from plugin.journal.cursors.store import Cursor, move_cursor
from plugin.journal.gap_reason import NO_ENTRIES, why_missing
from plugin.journal.layout import CLOCK_TICK
from plugin.journal.reader import JournalReader
from plugin.journal.scanner import frame_behind
from plugin.records.decoder import Decoder
from plugin.sinks.base import Record, Sink

logger = logging.getLogger(__name__)

_PATIENCE = 5.0
_SILENCE = 60.0
_LOOKS_AT_FOLDER = 5
_LOOK_AHEAD = 2 << 20


class Tail:
    """Reads a journal from a sink's cursor on, which is within it, and moves the cursor when records are acknowledged.

    A line whose rest does not come is waited for some seconds, then delivered as it is.
    """

    def __init__(self, folder: Path, instance: str, sink: Sink[Any], prepared: Any, cursor: Cursor) -> None:
        self.folder = folder
        self.instance = instance
        self.cursor = cursor
        self._prepared = prepared
        self._reader = JournalReader(folder, cursor.resume)
        self._decoder = Decoder(prepared, joined=sink.joins_parts, first=cursor.offset)
        self._position = cursor.resume
        self._gaps: list[tuple[int, int]] = []
        self._held_since = 0.0
        self._unsaved = False
        self._buried = 0
        self._next_word = 0.0
        self._looks = 0
        self._seen_size = self._seen_folder = -1
        self._at_end = False
        self._fresh = True
        self._open_folder = -1

    @property
    def container_id(self) -> str:
        """The container whose journal it is."""
        return self.folder.name

    @property
    def position(self) -> int:
        """How far it has been read, as an offset."""
        return self._position

    def has_news(self, *, thorough: bool = False) -> bool:
        """Tell whether there may be something to read: the segment has grown, or there are others.

        For these it looks now and then only, unless it is to be ``thorough``: cheap enough to be asked often of many
        journals of which few have something.
        """
        size = self._reader.written()
        news = size != self._seen_size
        self._seen_size = size
        if thorough or self._looks % _LOOKS_AT_FOLDER == 0:
            try:
                folder = os.stat(self.folder).st_mtime_ns
            except FileNotFoundError:
                return False
            news = news or folder != self._seen_folder
            self._seen_folder = folder if time.time_ns() - folder > CLOCK_TICK else -1
        self._looks += 1
        return news or (self._decoder.holds and time.monotonic() - self._held_since > _PATIENCE)

    def rest(self) -> None:
        """Close what is open, unless there is more to read, or something that was read is still to be noted."""
        if self._open_folder >= 0 and self._at_end and self.cursor.offset >= self._position and not self._unsaved:
            self._reader.rest()
            self._close_folder()

    @property
    def holds(self) -> bool:
        """Whether a line waits for its rest: then there is something to do although the journal does not grow."""
        return self._decoder.holds

    def set_prepared(self, prepared: Any) -> None:
        """Take over what the sink makes of a container that has changed, for the records from now on."""
        self._prepared = self._decoder.prepared = prepared

    def read(self, size: int) -> list[Record]:
        """Read on by about ``size`` bytes of journal; empty when there is no more, or nothing complete."""
        records: list[Record] = []
        if self._open_folder < 0:
            try:
                self._open_folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                return records
        while not records:
            chunk = self._reader.peek(size)
            if self._reader.offset > self._position:
                records += self._gap(why_missing(self.folder, self._position, self._reader.offset))
            used = self._decoder.feed(chunk, self._reader.offset)
            if used == 0 and len(chunk) >= max(size, HEADER_SIZE):
                chunk = self._reader.peek(HEADER_SIZE + min(entry_size(chunk, 0), MAX_ENTRY_SIZE))
                used = self._decoder.feed(chunk, self._reader.offset)
            self._reader.advance(used)
            self._position = self._reader.offset
            records += self._decoder.take()
            if used:
                self._held_since = time.monotonic()
            elif self._skip_malformed(chunk):
                records += self._gap(NO_ENTRIES)
            elif not chunk or not self._reader.next_segment():
                records += self._release()
                break
        self._at_end = not records
        if records:
            self._fresh = False
        elif self._fresh:  # most of the journals that are found at the start are delivered already
            self.rest()
        return records

    def _skip_malformed(self, chunk: bytes) -> bool:
        """Go on behind bytes that are no frame; false if ``chunk``, of which nothing was used, may become one.

        Intake sets such bytes aside, but a cursor that a power cut left behind can be in the middle of a frame.
        """
        if len(chunk) < HEADER_SIZE or len(chunk) < HEADER_SIZE + entry_size(chunk, 0) <= MAX_FRAME_SIZE:
            return False
        following = frame_behind(self._reader.peek(_LOOK_AHEAD))
        self._reader.advance(max(0, following))
        return following > 0

    def acknowledge(self, last: Record, count: int) -> None:
        """Note that all records up to ``last`` are delivered, ``count`` of them now."""
        self._save(last, records=self.cursor.records + count, last_success=time.time_ns(), dead=self.cursor.dead)

    def bury(self, record: Record, reason: str) -> None:
        """Keep a record that the destination refuses for good as a dead letter, and go on behind it."""
        self._buried += 1
        now = time.monotonic()
        if now >= self._next_word:
            logger.warning(
                "container %s, sink %s: records are refused for good and kept as dead letters, %d of late: %s",
                self.container_id[:12],
                self.instance,
                self._buried,
                reason,
            )
            self._buried = 0
            self._next_word = now + _SILENCE
        try:
            bury(self.folder, self.instance, record, reason, time.time_ns())
        except OSError as error:
            logger.warning("container %s: a dead letter cannot be kept: %s", self.container_id[:12], error)
        self._save(
            record, records=self.cursor.records, last_success=self.cursor.last_success, dead=self.cursor.dead + 1
        )

    def close(self) -> None:
        """Close the journal's files; what is acknowledged from now on is noted nowhere."""
        self._reader.close()
        self._close_folder()

    def _close_folder(self) -> None:
        if self._open_folder >= 0:
            os.close(self._open_folder)
            self._open_folder = -1

    def _save(self, last: Record, *, records: int, last_success: int, dead: int) -> None:
        self.cursor = Cursor(
            offset=last.end,
            resume=last.resume,
            records=records,
            dead=dead,
            gap_bytes=self.cursor.gap_bytes + self._take_gaps(last.end),
            last_success=last_success,
            birth=self.cursor.birth,
        )
        self._unsaved = True
        self.save()

    def _take_gaps(self, end: int) -> int:
        """Count the bytes of the gaps of which the sink has been told, as records up to ``end`` are delivered."""
        told = [missing for gap_end, missing in self._gaps if gap_end <= end]
        del self._gaps[: len(told)]
        return sum(told)

    def save(self) -> None:
        """Write the cursor, unless it has been: a full disk may not have taken it when it moved."""
        if self._open_folder < 0 or not self._unsaved:
            return
        try:
            # By the folder itself, not by its name: that may be another journal's by now.
            move_cursor(self._open_folder, self.instance, self.cursor)
            self._unsaved = False
        except OSError as error:
            if self.folder.exists():
                logger.warning(
                    "container %s, sink %s: cursor not saved: %s", self.container_id[:12], self.instance, error
                )

    def _release(self) -> list[Record]:
        """Give up waiting for the rest of lines after a while."""
        if not self._decoder.holds or time.monotonic() - self._held_since <= _PATIENCE:
            return []
        self._decoder.flush(self._reader.offset)
        return self._decoder.take()

    def _gap(self, reason: str) -> list[Record]:
        """Make the record that says what is missing up to the reader's offset, in its place.

        Before it come lines that were held: their beginnings are all that there is of them.
        """
        start, offset = self._position, self._reader.offset
        self._position = offset
        self._decoder.flush(start)
        text = f"peavey: {offset - start} bytes of this container's log are missing here: {reason}"
        logger.warning("container %s, sink %s: %s", self.container_id[:12], self.instance, text)
        end = max(offset, self.cursor.offset)  # what is missing can be the beginning of a line, before the cursor
        self._gaps.append((end, offset - start))
        gap = Record(self._prepared, "stderr", time.time_ns(), text.encode(), start, end, end)
        return [*self._decoder.take(), gap]
