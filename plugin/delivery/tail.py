"""Tails: one container's journal on its way to one destination."""

import logging
import math
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from plugin.delivery.dead_letters import bury
from plugin.delivery.descriptors import OpenJournals
from plugin.delivery.identities import Identities
from plugin.delivery.timing import Timing
from plugin.docker.frames import HEADER_SIZE, MAX_ENTRY_SIZE, entry_size
from plugin.docker.info import short_id
from plugin.errors import JournalError
from plugin.journal.corruption import damage_at
from plugin.journal.cursors.store import Cursor, move_cursor
from plugin.journal.gap_reason import NO_ENTRIES, why_missing
from plugin.journal.layout import CLOCK_TICK, is_gone
from plugin.journal.metadata import read_metadata
from plugin.journal.reader import JournalReader
from plugin.records.decoder import Decoder
from plugin.records.position import Position, position_behind
from plugin.sinks.base import Record, Sink
from plugin.transforms.base import NOTHING_DROPPED, Reason, Transform
from plugin.transforms.pipeline import Pipeline

logger = logging.getLogger(__name__)

LONGEST_TURN = 0.005
"""Seconds after which one container lets others have their turn: they share one event loop."""

_LONGEST_SHAPING = 0.02
_SLOW_TURN = 0.05
_SLOW_TURNS = 100
_LARGE_LINE = 64 * 1024
_SHAPED_AT_ONCE = 32
_SHORT_LINE = 1024
_SILENCE = 60.0
_LOOKS_AT_FOLDER = 5
_BEHIND_LIMIT = 1 << 20
"""Bytes that are read behind a limit, for the rest of what has begun before it."""


class Chunk(NamedTuple):
    """What one turn of reading has brought.

    ``upto``
        the position to acknowledge once all these records, and those of earlier chunks, are done with; it may move
        although there is no record, where transforms drop all
    ``more``
        whether the turn ended before the journal did
    """

    records: list[Record]
    upto: Position
    more: bool


class Tail:
    """A journal read from a sink's cursor on, which moves when records are acknowledged.

    A line whose rest does not come is waited for ``patience`` seconds, then delivered as it is. ``stages`` are what the
    records go through, made for this tail alone; ``label`` is what the log calls the container.

    Stages can take long for a line that is made for that. A tail that ``is_slow`` should be read ``aside``, in a thread
    of its own; between `begin_aside` and `end_aside` all else may be called all the same.

    With a ``limit`` only records are delivered whose offset is before it, and what the destination refuses is counted
    by the cursor, but not kept: the journal has it.
    """

    def __init__(
        self,
        folder: Path,
        instance: str,
        sink: Sink[Any],
        prepared: Any,
        cursor: Cursor,
        stages: Sequence[Transform] = (),
        patience: float = Timing.patience,
        label: str = "",
        identities: Identities | None = None,
        open_journals: OpenJournals | None = None,
        limit: int | None = None,
    ) -> None:
        self._identities = identities
        self._open_journals = open_journals
        self._limit = limit
        self.is_finished = False
        """Whether all records before the limit were read."""
        self.folder = folder
        self.instance = instance
        self.label = label or short_id(folder.name)
        self.cursor = cursor
        self._prepared = prepared
        self._reader = JournalReader(folder, cursor.resume)
        self._upto = Position(cursor.offset, cursor.resume)
        self._pipeline = Pipeline(stages, self._upto) if stages else None
        joined = sink.joins_parts or bool(stages)  # which are for whole lines
        self._decoder = Decoder(prepared, joined=joined, first=cursor.offset, keeps_earlier=self._pipeline is not None)
        self._position = cursor.resume
        self.patience = patience
        self._gaps: list[tuple[int, int]] = []
        self._held_since = 0.0
        self._stuck_since = math.inf
        self._stuck_size = 0
        self._unsaved = False
        self._buried = 0
        self._next_word = 0.0
        self._unkept = 0
        self._next_word_of_unkept = 0.0
        self._looks = 0
        self._seen_size = self._seen_folder = -1
        self._at_end = False
        self._fresh = True
        self._open_folder = -1
        self._unshaped: deque[Record] = deque()
        self._slow_turns = 0
        self._is_aside = False
        self._dropped_before: Mapping[Reason, int] = NOTHING_DROPPED
        self.is_closed = False

    @property
    def container_id(self) -> str:
        """The container whose journal it is."""
        return self.folder.name

    @property
    def position(self) -> int:
        """How far it has been read, as an offset."""
        return self._position

    @property
    def upto(self) -> Position:
        """The position of the last chunk."""
        return self._upto

    @property
    def is_slow(self) -> bool:
        """Whether the next turn may take long, by what the last ones took, or since a large line comes."""
        return self._slow_turns > 0 or self._large_line_is_next

    @property
    def _large_line_is_next(self) -> bool:
        return bool(self._unshaped) and len(self._unshaped[0].line) > _LARGE_LINE

    def begin_aside(self) -> None:
        """Leave what is read to another thread, which calls ``read`` and nothing else."""
        self._dropped_before = dict(self.dropped)
        self._is_aside = True

    def end_aside(self) -> None:
        """Take it back: that thread has read."""
        self._is_aside = False
        if self.is_closed:
            self.close()

    def has_news(self, *, thorough: bool = False) -> bool:
        """Return whether there may be something to read: the segment has grown, or there are others.

        For these it looks now and then only, unless it is to be ``thorough``: cheap enough to be asked often of many
        journals of which few have something.
        """
        if self._is_aside:
            return False
        size = self._reader.written()
        news = size != self._seen_size
        self._seen_size = size
        if thorough or self._looks % _LOOKS_AT_FOLDER == 0:
            try:
                folder = os.stat(self.folder).st_mtime_ns
            except FileNotFoundError:
                return False
            except OSError as error:
                logger.debug("container %s: its journal cannot be looked at: %s", self.label, error)
                return True  # to read it tells more
            news = news or folder != self._seen_folder
            self._seen_folder = folder if time.time_ns() - folder > CLOCK_TICK else -1
        self._looks += 1
        return (
            news
            or self._is_overdue()
            or self._is_stuck_too_long()
            or (self._pipeline is not None and self._pipeline.holds)
        )

    def rest(self) -> None:
        """Close what is open, unless there is more to read, or something that was read is still to be noted."""
        if self._is_aside:
            return
        if self._open_folder >= 0 and self._at_end and self.cursor.offset >= self._position and not self._unsaved:
            self._reader.rest()
            self._close_folder()

    def put_down(self) -> None:
        """Close what is open, whatever is left to read or to note: it is opened again when needed.

        One that another thread reads stays open.
        """
        if self._is_aside:
            return
        self._reader.rest()
        self._close_folder()

    @property
    def holds(self) -> bool:
        """Whether something waits for its rest: then there is something to do although the journal does not grow."""
        return self._is_aside or self._waits

    @property
    def _waits(self) -> bool:
        return self._decoder.holds or self._is_stuck or (self._pipeline is not None and self._pipeline.holds)

    @property
    def dropped(self) -> Mapping[Reason, int]:
        """How many records its stages have dropped on purpose, by reason."""
        if self._pipeline is None or self._is_aside:
            return self._dropped_before
        return self._pipeline.dropped

    def hold(self) -> None:
        """Open what is to be read, so that retention takes none of it away, as far as that is possible."""
        self._reader.hold()

    def set_identities(self, identities: Identities) -> None:
        """Take over what the sink makes of a container that has changed, by its place in the journal."""
        self._identities = identities

    def _of_one_identity(self, chunk: bytes) -> bytes:
        """Return what of the next bytes is by the container as it was then; its records are marked so."""
        if self._identities is None or not chunk:
            return chunk
        self._identities.look()
        offset = self._reader.offset
        self._prepared, upto = self._identities.at(offset)
        self._decoder.prepared = self._prepared
        return chunk if upto is None else chunk[: upto - offset]

    def read(self, size: int) -> Chunk:
        """Read on until there are records, by fewer than twice ``size`` bytes of journal unless one frame is larger.

        A turn ends as well when shaping has taken long enough.
        """
        if self.is_finished:
            return Chunk([], self._upto, more=False)
        began = time.monotonic()
        try:
            chunk = self._read(size)
        finally:
            if self._pipeline is not None:
                is_slow = time.monotonic() - began > _SLOW_TURN
                self._slow_turns = _SLOW_TURNS if is_slow else max(0, self._slow_turns - 1)
        return chunk if self._limit is None else self._before(self._limit, chunk)

    def _read(self, size: int) -> Chunk:
        records: list[Record] = []
        if self.is_closed:
            return Chunk(records, self._upto, more=False)
        if self._open_journals is not None and not self._is_aside:
            self._open_journals.use(self)
        if self._open_folder < 0:
            try:
                self._open_folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                return Chunk(records, self._upto, more=False)
        began, until = self._position, time.monotonic() + LONGEST_TURN
        is_over = False
        if self._pipeline is not None and self._unshaped:
            records += self._shape(self._pipeline)
        while not records and not self._unshaped and not is_over and self._position - began < size:
            if self._position > began and time.monotonic() > until:  # records may be few in many small segments
                break
            chunk = self._reader.peek(size)
            if self._reader.offset > self._position:
                records += self._gap(why_missing(self.folder, self._position, self._reader.offset))
            used = self._decoder.feed(self._of_one_identity(chunk), self._reader.offset)
            if not used:
                used = self._decoder.feed(chunk, self._reader.offset)
            if used == 0 and len(chunk) >= max(size, HEADER_SIZE):
                chunk = self._reader.peek(HEADER_SIZE + min(entry_size(chunk, 0), MAX_ENTRY_SIZE))
                used = self._decoder.feed(chunk, self._reader.offset)
            self._reader.advance(used)
            self._position = self._reader.offset
            records += self._take()
            if used:
                self._held_since = time.monotonic()
                self._stuck_since = math.inf
            elif chunk and self._skip_damage(len(chunk)):
                records += self._gap(NO_ENTRIES)
            elif not chunk or not self._reader.next_segment():
                records += self._release()
                is_over = True
        self._at_end = is_over and not records and not self._unshaped
        if records:
            self._fresh = False
        elif self._fresh and is_over:  # most of the journals that are found at the start are delivered already
            self.rest()
        if self._pipeline is not None:
            self._upto = self._pipeline.position
        elif records:
            self._upto = position_behind(records[-1])
        return Chunk(records, self._upto, more=not self._at_end)

    def _before(self, limit: int, chunk: Chunk) -> Chunk:
        """Return what of a chunk is before the limit; it is read on behind it for what has begun before it."""
        has_ended = not chunk.more and not self._waits
        self.is_finished = has_ended or chunk.upto.resume >= limit or self._position >= limit + _BEHIND_LIMIT
        records = [record for record in chunk.records if record.offset < limit]
        return Chunk(records, chunk.upto, more=chunk.more and not self.is_finished)

    def _take(self) -> list[Record]:
        """Return the records that the decoder has made, or what stages make of them in a turn."""
        if self._pipeline is None:
            return self._decoder.take()
        self._pipeline.feed_again(self._decoder.take_earlier())
        self._unshaped.extend(self._decoder.take())
        return self._shape(self._pipeline)

    def _shape(self, pipeline: Pipeline, *, all_of_them: bool = False) -> list[Record]:
        """Return what stages make of the records that wait for them, as far as that takes no longer than a turn may."""
        waiting = self._unshaped
        made: list[Record] = []
        until = time.monotonic() + _LONGEST_SHAPING
        while waiting:
            if not all_of_them and not self._is_aside and self._large_line_is_next:
                break
            fed = [waiting.popleft()]
            while waiting and len(fed) < _SHAPED_AT_ONCE and len(waiting[0].line) <= _SHORT_LINE:
                fed.append(waiting.popleft())
            made += pipeline.feed(fed)
            if not all_of_them and time.monotonic() > until:
                break
        return made

    def _skip_damage(self, size: int) -> bool:
        """Go on behind bytes that are not a frame; false if what is there, ``size`` bytes of it, may become one.

        Intake sets such bytes aside, but a segment can be damaged later, and a cursor that a power cut left behind can
        be in the middle of a frame. An incomplete frame that has been waited for long enough will not be completed.
        """
        now = time.monotonic()
        if size > self._stuck_size:
            self._stuck_since = min(self._stuck_since, now)
        overdue = now - self._stuck_since > self.patience
        skipped = damage_at(self._reader, ended=overdue)
        self._reader.advance(skipped)
        self._stuck_size = 0 if skipped else size
        if skipped or overdue:  # what has been tried in vain is tried again when it has grown
            self._stuck_since = math.inf
        return skipped > 0

    @property
    def _is_stuck(self) -> bool:
        """Whether an incomplete frame is waited for, until it is taken for damaged."""
        return self._stuck_since < math.inf

    def acknowledge(self, upto: Position, count: int) -> None:
        """Note that all up to a position is done with, of which ``count`` records are delivered now."""
        if count:
            self._move(upto, records=self.cursor.records + count, last_success=time.time_ns(), dead=self.cursor.dead)
        elif upto != (self.cursor.offset, self.cursor.resume):
            cursor = self.cursor
            self._move(upto, records=cursor.records, last_success=cursor.last_success, dead=cursor.dead)

    def bury(self, record: Record, reason: str) -> None:
        """Keep a record that the destination refuses for good as a dead letter, and go on behind it."""
        self._buried += 1
        now = time.monotonic()
        if now >= self._next_word:
            logger.warning(
                "container %s, sink %s: %d records refused for good%s: %s",
                self.label,
                self.instance,
                self._buried,
                " and kept as dead letters" if self._limit is None else "",
                reason,
            )
            self._buried = 0
            self._next_word = now + _SILENCE
        self._keep(record, reason)
        cursor = self.cursor
        upto = position_behind(record)
        self._move(upto, records=cursor.records, last_success=cursor.last_success, dead=cursor.dead + 1)

    def note_refusals(self, first: Record, count: int, reason: str) -> None:
        """Keep a note among the dead letters: some of ``count`` records are refused, and it is not known which."""
        self._keep(first, reason, count)

    def _keep(self, record: Record, reason: str, among: int = 0) -> None:
        if self._limit is not None:
            return
        now = time.monotonic()
        try:
            bury(self.folder, self.instance, record, reason, time.time_ns(), among)
        except OSError as error:
            self._unkept += 1
            if now >= self._next_word_of_unkept:
                logger.warning(
                    "container %s, sink %s: cannot keep %d dead letters: %s",
                    self.label,
                    self.instance,
                    self._unkept,
                    error,
                )
                self._unkept = 0
                self._next_word_of_unkept = now + _SILENCE

    def close(self) -> None:
        """Close the journal's files; what is acknowledged from now on is noted nowhere."""
        self.is_closed = True
        if not self._is_aside:
            self._reader.close()
            self._close_folder()

    def _close_folder(self) -> None:
        if self._open_folder >= 0:
            os.close(self._open_folder)
            self._open_folder = -1
        if self._open_journals is not None:
            self._open_journals.note_closed(self)

    def _move(self, upto: Position, *, records: int, last_success: int, dead: int) -> None:
        self.cursor = Cursor(
            offset=upto.offset,
            resume=upto.resume,
            records=records,
            dead=dead,
            gap_bytes=self.cursor.gap_bytes + self._take_gaps(upto.offset),
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
        if self.is_closed or not self._unsaved:
            return
        try:
            # By the folder itself, not by its name: that may be another journal's by now.
            if self._open_folder >= 0:
                move_cursor(self._open_folder, self.instance, self.cursor)
            else:
                self._save_in_folder_of_name()
            self._unsaved = False
        except (OSError, JournalError) as error:
            if not is_gone(self.folder):
                logger.warning("container %s, sink %s: cannot write cursor: %s", self.label, self.instance, error)

    def _save_in_folder_of_name(self) -> None:
        """Write the cursor after the journal was put down, if it is still there."""
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            metadata = read_metadata(self.folder)
            if metadata is not None and metadata.birth == self.cursor.birth:
                move_cursor(folder, self.instance, self.cursor)
        finally:
            os.close(folder)

    def _is_overdue(self) -> bool:
        """Return whether the decoder has waited long enough for the rest of a line."""
        return self._decoder.holds and time.monotonic() - self._held_since > self.patience

    def _is_stuck_too_long(self) -> bool:
        return time.monotonic() - self._stuck_since > self.patience

    def _release(self) -> list[Record]:
        """Return what has waited for its rest long enough, as far as it is there."""
        records: list[Record] = []
        if self._is_overdue():
            self._decoder.flush(self._reader.offset)
            records += self._take()
        if self._pipeline is not None and not self._unshaped:
            is_over = self._pipeline.holds and self._has_ended()
            records += self._pipeline.flush(math.inf if is_over else time.monotonic())
        return records

    def _has_ended(self) -> bool:
        """Return whether the stream that wrote what has been read has ended, so that nothing more belongs to it."""
        if self._identities is None or self._decoder.holds:
            return False
        self._identities.look()
        # What another stream has written meanwhile has to be read first: it was noted before its first byte.
        return self._identities.has_ended and not self._reader.peek(1)

    def _gap(self, reason: str) -> list[Record]:
        """Make the record that says what is missing up to the reader's offset, in its place; no stage may drop it.

        Before it come lines that were held: their beginnings are all that there is of them.
        """
        start, offset = self._position, self._reader.offset
        self._position = offset
        self._decoder.flush(start)
        records = self._take()
        if self._pipeline is not None:
            records += self._shape(self._pipeline, all_of_them=True)
        text = f"peavey: {offset - start} bytes of this container's log are missing here: {reason}"
        logger.warning("container %s, sink %s: %s", self.label, self.instance, text)
        end = max(offset, self.cursor.offset)  # what is missing can be the beginning of a line, before the cursor
        self._gaps.append((end, offset - start))
        if self._pipeline is not None:
            records += self._pipeline.cross_gap(Position(end, offset))
        records.append(Record(self._prepared, "stderr", time.time_ns(), text.encode(), start, end, offset))
        return records
