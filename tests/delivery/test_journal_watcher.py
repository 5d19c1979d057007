import errno
import os
from pathlib import Path

import pytest

from plugin.delivery.journal_watcher import Watch
from plugin.delivery.timing import Timing
from plugin.journal.change_counters import GrowthTeller
from plugin.journal.layout import DataFolder

ONE, OTHER, FOREIGN = "1a" * 32, "2b" * 32, "3c" * 32
NOTHING: tuple[set[str], set[str]] = (set(), set())


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


@pytest.fixture
def watch(data: DataFolder) -> Watch:
    return make_watch(data, Timing(list=0.0))


def make_watch(data: DataFolder, timing: Timing) -> Watch:
    return Watch(data, lambda container_id: container_id != FOREIGN, timing)


def begin(data: DataFolder, *ids: str) -> GrowthTeller:
    """Make journals, and somebody who tells of them."""
    for container_id in ids:
        data.container(container_id).mkdir()
    teller = GrowthTeller(data)
    teller.tell(FOREIGN)
    return teller


def test_what_is_new_and_what_is_gone(data: DataFolder, watch: Watch) -> None:
    begin(data, ONE, FOREIGN)
    assert watch.look() == (set(), {ONE})
    assert watch.look() == NOTHING
    data.container(OTHER).mkdir()
    assert watch.look() == (set(), {OTHER})
    data.remove_container(ONE)
    assert watch.look() == ({ONE}, set())


def test_what_has_grown(data: DataFolder, watch: Watch) -> None:
    teller = begin(data, ONE, OTHER)
    watch.look()
    teller.tell(OTHER)
    teller.tell(FOREIGN)
    assert watch.look() == (set(), {OTHER})
    assert watch.look() == NOTHING


def test_all_now_and_then(data: DataFolder) -> None:
    watch = make_watch(data, Timing(list=0.0, survey=0.0))
    begin(data, ONE, OTHER)
    watch.look()
    assert watch.look() == (set(), {ONE, OTHER})


def test_all_again_and_again_where_nobody_tells(data: DataFolder, watch: Watch) -> None:
    data.container(ONE).mkdir()
    watch.look()
    assert watch.look() == (set(), {ONE})


def test_the_folder_is_listed_only_when_it_has_changed(
    data: DataFolder, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(data, ONE)
    long_ago = data.containers.stat().st_mtime - 10
    os.utime(data.containers, (long_ago, long_ago))
    watch.look()
    monkeypatch.setattr(data, "container_ids", lambda: pytest.fail("it was listed"))
    assert watch.look() == NOTHING


@pytest.mark.parametrize("call", ["stat", "scandir"])
def test_a_folder_that_cannot_be_listed_has_what_it_had(
    data: DataFolder, watch: Watch, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    teller = begin(data, ONE)
    watch.look()
    begin(data, OTHER)
    teller.tell(ONE)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        assert watch.look() == (set(), {ONE})
    assert watch.look() == (set(), {OTHER})
