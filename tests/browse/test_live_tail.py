"""A live tail: what comes, of all that are wanted, once and in order; a slow reader is told what was passed over."""

from pathlib import Path

import pytest

from plugin.browse import live_tail
from plugin.browse.live_tail import LiveTail, parse_places
from plugin.browse.selection import Wanted
from plugin.docker.frames import Entry
from plugin.docker.info import Info
from plugin.errors import PeaveyError
from plugin.journal.change_counters import GrowthTeller
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from tests.journal.entries import encode, numbered, write_journal

A, B = "a" * 64, "b" * 64
ALL = Wanted(everything=True)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def journal(data: DataFolder, container: str, name: str, sent: list[Entry]) -> None:
    write_journal(data.container(container), encode(sent))
    write_metadata(data.container(container), Info(container_id=container, container_name=f"/{name}"), "fifo", 1)


def add(data: DataFolder, container: str, sent: list[Entry]) -> None:
    write_journal(data.container(container), encode(sent))
    GrowthTeller(data).tell(container)


def tail_of(data: DataFolder, wanted: Wanted = ALL, tail: int = 100, places: str = "") -> LiveTail:
    return LiveTail(data, wanted, tail=tail, wants=lambda _: True, places=places)


def steps(tail: LiveTail) -> list[tuple[str, bytes]]:
    found = []
    more = True
    while more:
        step = tail.step()
        found += [(journal.name, line.text) for journal, line in step.lines]
        more = step.more
    return found


def test_the_last_lines_of_all_together_are_in_order_of_time(data: DataFolder) -> None:
    journal(data, A, "web", [Entry("stdout", time, b"%d" % time) for time in (1, 3, 5)])
    journal(data, B, "db", [Entry("stderr", time, b"%d" % time) for time in (2, 4, 6)])

    assert steps(tail_of(data, tail=3)) == [("db", b"4"), ("web", b"5"), ("db", b"6")]


def test_what_comes_is_returned_once(data: DataFolder) -> None:
    journal(data, A, "web", numbered(1))
    tail = tail_of(data)
    assert steps(tail) == [("web", b"line 0 ")]
    assert steps(tail) == []
    add(data, A, numbered(2, start=1))

    assert steps(tail) == [("web", b"line 1 "), ("web", b"line 2 ")]
    assert steps(tail) == []


def test_another_tail_goes_on_where_one_was(data: DataFolder) -> None:
    journal(data, A, "web", numbered(2))
    first = tail_of(data)
    steps(first)
    add(data, A, numbered(1, start=2))
    journal(data, B, "new", [Entry("stdout", 9, b"a container that began meanwhile")])

    assert steps(tail_of(data, places=first.places())) == [
        ("web", b"line 2 "),
        ("new", b"a container that began meanwhile"),
    ]


def test_containers_that_begin_later_and_fit_are_followed_from_their_first_line_on(data: DataFolder) -> None:
    journal(data, A, "web", [])
    tail = tail_of(data, Wanted(names=("w*",)))
    assert steps(tail) == []
    journal(data, B, "worker", numbered(1))
    journal(data, "c" * 64, "other", numbered(1))

    assert steps(tail) == [("worker", b"line 0 ")]


def test_a_journal_that_is_removed_ends_quietly(data: DataFolder) -> None:
    journal(data, A, "web", numbered(1))
    journal(data, B, "db", numbered(1))
    tail = tail_of(data)
    steps(tail)
    for path in data.container(A).iterdir():
        path.unlink()
    data.container(A).rmdir()
    GrowthTeller(data).tell(A)
    add(data, B, numbered(1, start=1))

    assert ("db", b"line 1 ") in steps(tail)


def test_one_who_is_too_slow_is_told_how_much_was_passed_over(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_tail, "FARTHEST_BEHIND", 100_000)
    monkeypatch.setattr(live_tail, "_KEPT", 5)
    journal(data, A, "web", numbered(1))
    tail = tail_of(data)
    steps(tail)
    sent = numbered(300, start=1, size=1000)
    add(data, A, sent)
    step = tail.step()

    assert [line.text for _, line in step.lines] == [one.line for one in sent[-5:]]
    assert [(journal.name, count) for journal, count in step.missed] == [("web", len(encode(sent[:-5])))]


def test_a_step_is_bounded_and_says_that_there_is_more(data: DataFolder) -> None:
    journal(data, A, "web", [])
    tail = tail_of(data)
    steps(tail)
    add(data, A, numbered(30_000))
    step = tail.step()

    assert step.more
    assert 0 < len(step.lines) < 30_000
    assert len(step.lines) + len(steps(tail)) == 30_000


def test_too_many_containers_are_refused(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tail, "MOST_CONTAINERS", 1)
    journal(data, A, "web", [])
    journal(data, B, "db", [])

    with pytest.raises(PeaveyError, match="2 containers fit; at most 1 can be followed at once"):
        tail_of(data)


@pytest.mark.parametrize(
    "text", ["x", f"{A[:12]}", f"{A[:12]}:", f"{A[:12]}:zz", f"{A[:12]}:1 ", f"{A[:12]}:{'1' * 17}"]
)
def test_places_that_no_tail_has_written_are_refused(text: str) -> None:
    with pytest.raises(PeaveyError, match="place"):
        parse_places(text)
