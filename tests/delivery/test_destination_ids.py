"""Destinations have names that stay, and that tell nothing of their options."""

from pathlib import Path

import pytest

from plugin.delivery.destination_ids import DestinationNames
from plugin.journal.layout import DataFolder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


OPTIONS = ("loki", (("loki-url", "http://user:password@host"),))


def test_they_stay_over_restarts_and_are_the_same_in_all_processes(data: DataFolder) -> None:
    assert DestinationNames(data).name(OPTIONS) == DestinationNames(data).name(OPTIONS)


def test_other_options_have_another(data: DataFolder) -> None:
    names = DestinationNames(data)
    assert names.name(OPTIONS) != names.name(("loki", ()))


def test_they_cannot_be_guessed_from_the_options_without_the_key(data: DataFolder, tmp_path: Path) -> None:
    other = DataFolder(tmp_path / "other")
    other.create()
    assert DestinationNames(data).name(OPTIONS) != DestinationNames(other).name(OPTIONS)
    assert (data.path / "delivery" / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_damaged_key_stops_nothing(data: DataFolder, content: bytes) -> None:
    DestinationNames(data)
    (data.path / "delivery" / "key").write_bytes(content)
    assert len(DestinationNames(data).name(OPTIONS)) == 8


def test_a_folder_that_cannot_be_used_stops_nothing(data: DataFolder) -> None:
    (data.path / "delivery").write_bytes(b"")
    assert len(DestinationNames(data).name(OPTIONS)) == 8
