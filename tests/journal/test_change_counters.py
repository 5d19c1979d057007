import os
from pathlib import Path

import pytest

from plugin.journal.change_counters import GrowthListener, GrowthTeller, counter_of
from plugin.journal.layout import DataFolder

ONE, OTHER = "1a" * 32, "2b" * 32


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


def test_nobody_has_told_anything_yet(data: DataFolder) -> None:
    assert GrowthListener(data).listen() is None


def test_each_change_is_heard_once(data: DataFolder) -> None:
    teller, listener = GrowthTeller(data), GrowthListener(data)
    teller.tell(ONE)
    assert listener.listen() == {counter_of(ONE)}
    assert listener.listen() == set()
    teller.tell(ONE)
    teller.tell(OTHER)
    teller.tell(OTHER)
    assert listener.listen() == {counter_of(ONE), counter_of(OTHER)}


def test_counting_goes_on_after_a_restart(data: DataFolder) -> None:
    listener = GrowthListener(data)
    GrowthTeller(data).tell(ONE)
    listener.listen()
    GrowthTeller(data).tell(ONE)
    assert listener.listen() == {counter_of(ONE)}


def test_a_disk_that_fills_up_has_room_for_all_counters_already(data: DataFolder) -> None:
    GrowthTeller(data).tell(ONE)
    assert os.stat(data.path / "grown").st_blocks * 512 >= 4096 * 4


def test_counting_begins_anew_at_the_end_of_numbers(data: DataFolder) -> None:
    teller, listener = GrowthTeller(data), GrowthListener(data)
    (data.path / "grown").write_bytes(b"\xff" * 4096 * 4)
    listener.listen()
    teller.tell(ONE)
    assert listener.listen() == {counter_of(ONE)}


def test_a_place_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    GrowthTeller(DataFolder(tmp_path / "missing")).tell(ONE)
