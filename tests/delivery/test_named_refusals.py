"""Destinations that name the record at fault, and what they have taken in front of it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.delivery.batch import Group, parted, records_of
from plugin.delivery.dead_letters import dead_letters_path
from plugin.delivery.destination import Destination
from plugin.records.position import Position
from plugin.sinks.base import Record, RejectError
from tests.delivery.conftest import QUICK, FakeSink, Journal, deliver, make_tail


class Naming(FakeSink):
    """Names the first record that it refuses, and takes those before it, or not."""

    def __init__(self, *, takes_those_before: bool, offset: int = 0) -> None:
        super().__init__()
        self.requests = 0
        self._takes = takes_those_before
        self._offset = offset

    async def send(self, payload: bytes) -> None:
        self.requests += 1
        for index, (_, line) in enumerate(self._encoded):
            if line in self.refused:
                if self._takes:
                    self.delivered += self._encoded[:index]
                raise RejectError("not this one", index + self._offset, took_those_before=self._takes)
        await super().send(payload)


@pytest.mark.parametrize("takes", [True, False])
def test_only_what_is_at_fault_is_buried_and_little_is_sent_again(
    make_journal: Callable[..., Journal], *, takes: bool
) -> None:
    sink = Naming(takes_those_before=takes)
    journals = [make_journal(name) for name in ("aa", "bb")]
    lines = [journal.lines(0, 500) for journal in journals]
    sink.refused = {lines[0][number] for number in (0, 100, 101, 250, 499)}
    destination = Destination("fake", sink, QUICK)  # type: ignore[arg-type]
    for journal, name in zip(journals, ("one", "two"), strict=True):
        destination.add(make_tail(journal, sink, name))
    deliver(destination, lambda: destination.state.records + destination.state.dead >= 1_000)
    for journal, made, name in zip(journals, lines, ("one", "two"), strict=True):
        assert sink.lines(name) == [line for line in made if line not in sink.refused]
        dead = dead_letters_path(journal.folder, "fake").read_bytes().splitlines()
        assert len(dead) == len(sink.refused)
    assert destination.state.records == 1_000 - destination.state.dead
    assert sink.requests < 60


def test_every_line_of_a_batch_may_be_at_fault(journal: Journal) -> None:
    sink = Naming(takes_those_before=True)
    sink.refused = set(journal.lines(0, 2_000))
    destination = Destination("fake", sink, QUICK)  # type: ignore[arg-type]
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.dead == 2_000)
    assert sink.delivered == []


def test_a_place_behind_the_batch_names_nothing(journal: Journal) -> None:
    sink = Naming(takes_those_before=True, offset=1_000)
    lines = journal.lines(0, 100)
    sink.refused = {lines[50]}
    destination = Destination("fake", sink, QUICK)  # type: ignore[arg-type]
    destination.add(make_tail(journal, sink))
    deliver(destination, lambda: destination.state.records + destination.state.dead >= 100)
    assert set(sink.lines()) == set(lines) - sink.refused
    assert destination.state.dead == 1


@given(st.lists(st.integers(min_value=0, max_value=4), min_size=1, max_size=6).filter(any), st.data())
def test_a_batch_is_parted_at_any_record(sizes: list[int], data: st.DataObject) -> None:
    number = 0
    batch = []
    for size in sizes:
        records = []
        for _ in range(size):
            number += 1
            records.append(Record(None, "stdout", 0, b"%d" % number, 10 * number, 10 * number + 9, 10 * number + 9))
        batch.append(Group(None, records, Position(10 * number + 9, 10 * number + 9)))  # type: ignore[arg-type]
    index = data.draw(st.integers(min_value=0, max_value=number - 1))
    before, alone, behind = parted(batch, index)
    whole = records_of(batch)
    assert records_of(before) == whole[:index]
    assert records_of(alone) == [whole[index]]
    assert records_of(behind) == whole[index + 1 :]
    for group in (*before, *alone, *behind):
        assert not group.records or group.upto.offset == group.records[-1].end
