"""Decoding: journal bytes become records, with the parts of long lines joined where the sink wants whole ones.

Also runs compiled (see ``decoder.pxd``).
"""

from typing import Any

from plugin.docker.frames import HEADER_SIZE, Fields, entry_size
from plugin.docker.partials import COMPLETE, FLUSH_AFTER, FLUSH_BEFORE, Joiner, source_index
from plugin.records.record import Record, whole_line
from plugin.records.utf8 import LONGEST_BEGINNING, unfinished

_SOURCES = ("stdout", "stderr")


class Decoder:
    """Takes journal bytes piece by piece and gives records.

    ``prepared`` goes into every record. With ``joined``, a line of several parts becomes one record with the first
    part's timestamp; else each part is one, and a character that is cut in two is in the later. Only records that end
    behind ``first`` are taken: what lies before only serves to complete them. But with ``keeps_earlier``, those are
    kept apart, for stages behind the decoder that have something to complete, too.
    """

    __slots__ = (
        "_beginnings",
        "_cut_from",
        "_earlier",
        "_fields",
        "_first",
        "_joined",
        "_joiner",
        "_keeps_earlier",
        "_last",
        "_records",
        "prepared",
    )

    def __init__(self, prepared: Any, *, joined: bool, first: int, keeps_earlier: bool = False) -> None:
        self.prepared = prepared
        self._joined = joined
        self._first = first
        self._fields = Fields()
        self._joiner = Joiner()
        self._last = [0, 0]
        self._beginnings: list[Record | None] = [None, None]
        self._cut_from = -1
        self._records: list[Record] = []
        self._keeps_earlier = keeps_earlier
        self._earlier: list[Record] = []

    @property
    def holds(self) -> bool:
        """Whether parts wait for the rest of their line, or of a character."""
        return self._joiner.held > 0 or self._cut_from >= 0

    def feed(self, buffer: bytes, offset: int) -> int:
        """Take the complete frames of ``buffer``, which lies at ``offset``; returns the bytes used up.

        Stops early at bytes that are not a frame.
        """
        header_size, complete = HEADER_SIZE, COMPLETE
        fields = self._fields
        joiner = self._joiner
        joined = self._joined
        prepared = self.prepared
        records = self._records
        first = self._first
        characters = buffer  # which C slices for much less than Python's objects
        end = len(buffer)
        position = 0
        while end - position >= header_size:
            start = position + header_size
            entry_end = start + entry_size(buffer, position)
            if entry_end > end or entry_end == start or not fields.locate(buffer, start, entry_end):
                break
            source = source_index(fields, buffer)
            frame = offset + position
            behind = offset + entry_end
            if not joined:
                self._add_part(buffer, frame, behind, source)
                position = entry_end
                continue
            action = joiner.accept(fields, buffer, frame)
            if action == complete and not joiner.parts[source]:
                if frame >= first:
                    line = characters[fields.line_start : fields.line_end]
                    resume = joiner.held_from if joiner.parts[0] or joiner.parts[1] else behind
                    records.append(
                        whole_line(prepared, _SOURCES[source], fields.time_nano, line, frame, behind, resume)
                    )
                elif self._keeps_earlier:
                    self._keep_line(buffer, frame, behind, source)
            else:
                self._handle_part(buffer, frame, behind, action, source)
            position = entry_end
        return position

    def take(self) -> list[Record]:
        """Return the records made so far, and forget them."""
        records = self._records
        self._records = []
        return records

    def take_earlier(self) -> list[Record]:
        """Return the records before ``first`` made so far, and forget them; those of ``take`` come after them."""
        records = self._earlier
        self._earlier = []
        return records

    def flush(self, offset: int) -> None:
        """Give up waiting for the rest of lines: what there is of them, up to ``offset``, becomes records."""
        for source in (0, 1):
            self._joiner.give_up(source)
            self._emit_held(offset, source, offset < self._first)
            self._emit_beginning(offset, source)

    def _keep_line(self, buffer: bytes, frame: int, behind: int, source: int) -> None:
        """Make a record of a whole line before ``first``."""
        fields = self._fields
        line = buffer[fields.line_start : fields.line_end]
        resume = self._joiner.held_from if self._joiner.held else behind
        self._earlier.append(Record(self.prepared, _SOURCES[source], fields.time_nano, line, frame, behind, resume))

    def _add_part(self, buffer: bytes, frame: int, behind: int, source: int) -> None:
        fields = self._fields
        line = buffer[fields.line_start : fields.line_end]
        record = Record(self.prepared, _SOURCES[source], fields.time_nano, line, frame, behind, behind)
        if fields.partial:
            record.part_id = buffer[fields.id_start : fields.id_end].decode(errors="replace")
            record.part_ordinal = max(1, fields.ordinal)
            record.part_last = bool(fields.last)
        if fields.partial or self._cut_from >= 0:
            self._mend(record, source)
        if frame >= self._first:
            self._records.append(record)
        elif self._keeps_earlier:
            self._earlier.append(record)

    def _mend(self, record: Record, source: int) -> None:
        """Hand a record the beginning of its first character, which the part before it had, and take that of its last.

        The engine's parts are long: if one is not, what begins at its end could have begun in the part before it.
        """
        line = record.line
        beginning = self._beginnings[source]
        if beginning is not None and beginning.part_id == record.part_id:
            record.line = beginning.line + line
            self._beginnings[source] = None
        self._emit_beginning(record.offset, source)
        goes_on = record.part_ordinal > 0 and not record.part_last
        count = unfinished(line) if goes_on and len(line) > LONGEST_BEGINNING else 0
        if count:
            record.line = record.line[:-count]
            self._beginnings[source] = Record(
                self.prepared,
                record.source,
                record.time_nano,
                line[-count:],
                record.offset,
                part_id=record.part_id,
                part_ordinal=record.part_ordinal + 1,
            )
        record.resume = self._resume_behind(record.end)

    def _resume_behind(self, end: int) -> int:
        """Return from where on to read to go on behind ``end``, and note whether any character has begun before it."""
        resume = end
        for beginning in self._beginnings:
            if beginning is not None:
                resume = min(resume, beginning.offset)
        self._cut_from = resume if resume < end else -1
        return resume

    def _emit_beginning(self, behind: int, source: int) -> None:
        """Make a record of the beginning of a character of which the rest did not come."""
        beginning = self._beginnings[source]
        if beginning is None:
            return
        self._beginnings[source] = None
        beginning.end = behind
        beginning.resume = self._resume_behind(behind)
        if behind >= self._first:
            self._records.append(beginning)
        elif self._keeps_earlier:
            self._earlier.append(beginning)

    def _handle_part(self, buffer: bytes, frame: int, behind: int, action: int, source: int) -> None:
        fields = self._fields
        if action & FLUSH_BEFORE:
            self._emit_held(frame, source, frame < self._first)
        self._joiner.hold(buffer[fields.line_start : fields.line_end], fields.time_nano, source)
        self._last[source] = frame
        if action & (COMPLETE | FLUSH_AFTER):
            self._emit_held(behind, source, behind <= self._first)

    def _emit_held(self, behind: int, source: int, delivered: bool) -> None:
        """Make a record of the parts that are held, unless it was ``delivered`` in an earlier process.

        One that lacks its last part ends where another may end, too: at ``first``, it is delivered rather again.
        """
        joiner = self._joiner
        if not joiner.parts[source]:
            return
        line = joiner.join(source)
        if not delivered or self._keeps_earlier:
            resume = joiner.held_from if joiner.held else behind
            time_nano = joiner.times[source]
            last = self._last[source]
            records = self._earlier if delivered else self._records
            records.append(Record(self.prepared, _SOURCES[source], time_nano, line, last, behind, resume))
