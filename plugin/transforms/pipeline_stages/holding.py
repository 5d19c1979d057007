"""Stages as transforms: those that look at one record at a time, and those that hold records.

Also runs compiled (see ``holding.pxd``).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from plugin.config.pipeline_stages.model import Cri
from plugin.records.record import Record
from plugin.transforms.base import NOTHING_DROPPED, Holder, Reason, Transform, held_since
from plugin.transforms.pipeline_stages.entry import TENANT, Entry

Step = Callable[[Entry], str | None]
"""Changes an entry; returns why the record is to be dropped, None if it goes on."""

STAGE = "pipeline stage"
"""What drops of pipeline stages are counted under."""

_PATIENCE = 60.0

LabelSet = tuple[tuple[str, str], ...]


class Steps:
    """Puts each record through steps, until one drops it; the first ones of a pipeline open it, the last close it."""

    held_from = None

    def __init__(self, steps: Sequence[Step], *, opens: bool = False, closes: bool = False) -> None:
        self.dropped: Counter[Reason] = Counter()
        self.steps = tuple(steps)
        self.closes = closes
        self._opens = opens

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return it unless it is dropped."""
        return (record,) if self._keeps(record) else ()

    def feed_all(self, records: list[Record]) -> list[Record]:
        """Take many records; return those that are not dropped."""
        return [record for record in records if self._keeps(record)]

    def _keeps(self, record: Record) -> bool:
        """Put a record through the steps; return whether it goes on."""
        if self._opens:
            record.prepared = Entry(record)
        entry: Entry = record.prepared
        for step in self.steps:
            reason = step(entry)
            if reason is not None:
                record.prepared = entry.base
                self.dropped[Reason(STAGE, reason)] += 1
                return False
        if self.closes:
            _close(record, entry)
        return True

    def flush(self, _now: float) -> Sequence[Record]:
        """Return nothing, since nothing is held."""
        return ()


def _close(record: Record, entry: Entry) -> None:
    """Attach to a record what it is sent with: the labels and the tenant as ``prepared``, metadata as fields."""
    base = record.prepared = entry.base
    if entry.metadata:
        record.fields = {**(record.fields or {}), **entry.metadata}
    if base is not None:
        labels = entry.labels
        tenant = labels.pop(TENANT, "")
        if tenant or labels != base.labels_of(record.source):
            record.prepared = base.relabelled(record.source, labels, tenant)


def seed(entry: Entry) -> None:
    """Extract the labels, as each pipeline within another does at its beginning."""
    entry.extracted.update(entry.labels)


def labels_of(record: Record) -> LabelSet:
    """Return the labels of a record in the pipeline, and its source: what lines of several are joined by."""
    entry: Entry = record.prepared
    return (("", record.source), *sorted(entry.labels.items()))


class Branch:
    """Puts the records that ``wanted`` says through stages of their own, of which some hold records."""

    def __init__(self, wanted: Callable[[Entry], bool], stages: Sequence[Transform]) -> None:
        self.released_from: int | None = None
        self._wanted = wanted
        self._stages = tuple(stages)

    @property
    def held_from(self) -> int | None:
        """The smallest offset that one of the stages holds."""
        return min((held for stage in self._stages if (held := stage.held_from) is not None), default=None)

    @property
    def dropped(self) -> Mapping[Reason, int]:
        """What the stages have dropped."""
        counts: Counter[Reason] = Counter()
        for stage in self._stages:
            counts.update(stage.dropped)
        return counts

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a record; return those that are ready."""
        self.released_from = self.held_from
        entry: Entry = record.prepared
        if not self._wanted(entry):
            return (record,)
        seed(entry)
        made: Sequence[Record] = (record,)
        for stage in self._stages:
            made = [each for one in made for each in stage.feed(one)]
        return made

    def flush(self, now: float) -> Iterable[Record]:
        """Return what the stages have held for too long."""
        self.released_from = self.held_from
        records: list[Record] = []
        for stage in self._stages:
            records = [made for record in records for made in stage.feed(record)]
            records += stage.flush(now)
        return records


class PartialLines:
    """Joins the parts of lines in the format of Kubernetes's runtimes: those with the flag P, up to one with F.

    The time and the labels are those of the last part. ``before`` are the stages that records come from.
    """

    dropped: Mapping[Reason, int] = NOTHING_DROPPED

    def __init__(self, stage: Cri, largest: int, before: Sequence[Holder] = ()) -> None:
        self.released_from: int | None = None
        self._most = stage.most_partial
        self._longest = min(stage.longest or largest, largest)
        self._before = before
        self._held: dict[LabelSet, tuple[int, Record]] = {}
        self._since: float | None = None

    @property
    def held_from(self) -> int | None:
        """The offset of the first part that is held."""
        return min((held_from for held_from, _ in self._held.values()), default=None)

    def feed(self, record: Record) -> Sequence[Record]:
        """Take a part; return the line that it ends."""
        self.released_from = self.held_from
        self._since = None
        stream = labels_of(record)
        entry: Entry = record.prepared
        if entry.extracted.get("flags") != "P":
            if stream in self._held:
                self._join(self._held.pop(stream)[1], record)
            return (record,)
        made: Sequence[Record] = ()
        if len(self._held) >= self._most:
            made = self._release()
        held_from = held_since(record, self._before)
        if stream in self._held:
            earlier_from, earlier = self._held.pop(stream)
            self._join(earlier, record)
            held_from = earlier_from
        self._held[stream] = held_from, record
        return made

    def flush(self, now: float) -> Sequence[Record]:
        """Return the parts whose rest has not come for a minute."""
        self.released_from = self.held_from
        if not self._held:
            return ()
        if self._since is None:
            self._since = now
        return self._release() if now == math.inf or now >= self._since + _PATIENCE else ()

    def _join(self, earlier: Record, record: Record) -> None:
        record.line = (earlier.line + record.line)[: self._longest]
        record.offset = earlier.offset

    def _release(self) -> Sequence[Record]:
        made = [record for _, record in self._held.values()]
        self._held.clear()
        return made
