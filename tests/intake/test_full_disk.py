"""A disk that is really full: what is dropped is a gap of the journal, however the container or the plugin ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.config.options import validate_leniently
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.housekeeper import Housekeeper
from plugin.intake.stream import Dropped
from plugin.journal.drop_mode import Dropper
from plugin.journal.gap_marker import noted_gap
from plugin.journal.layout import gap_path, list_segments
from plugin.journal.metadata import read_metadata
from tests.intake.pump_harness import ONE, Fifo, PumpHarness, frames
from tests.journal.entries import fill, no_new_segments, small_disk

BEFORE, MISSED, AFTER = (frames(50, start, 100) for start in (0, 50, 100))


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk."""
    with small_disk(1 << 20) as path:
        yield path


@pytest.fixture
def harness(disk: Path) -> Iterator[PumpHarness]:
    """A pump whose data folder lies on it."""
    with PumpHarness(disk) as made:
        yield made
    made.end_streams()


@pytest.fixture
def dropping(harness: PumpHarness, disk: Path) -> Fifo:
    """A container of which ``BEFORE`` was kept, and ``MISSED`` twice came to a full disk."""
    fifo = harness.begin("a")
    fifo.write(BEFORE)
    harness.turn()
    fill(disk)
    fifo.write(MISSED + MISSED)
    harness.turn()
    assert harness.pump.dropping()
    return fifo


def bases(harness: PumpHarness) -> list[int]:
    return [segment.base for segment in list_segments(harness.data.container(ONE))]


class TestTheEndOfAContainer:
    def test_that_lost_its_last_lines_leaves_a_gap_at_once(self, harness: PumpHarness, disk: Path) -> None:
        fifo = harness.begin("a")
        fifo.write(BEFORE)
        harness.turn()
        fill(disk)
        for _ in range(2):
            fifo.write(MISSED)
            harness.turn()
        harness.pump.detach("a")
        dropped = harness.pump.snapshot()[1][ONE].bytes
        assert len(MISSED) <= dropped <= 2 * len(MISSED)
        assert bases(harness) == [0, len(BEFORE + MISSED + MISSED)]

    def test_that_began_on_it_is_known_by_its_note_as_soon_as_there_is_room(
        self, harness: PumpHarness, disk: Path
    ) -> None:
        fifo = harness.begin("a")
        ballast = fill(disk)
        fifo.write(MISSED)
        harness.turn()
        harness.pump.detach("a")
        assert bases(harness)[-1] == len(MISSED)
        assert read_metadata(harness.data.container(ONE)) is None
        harness.pump.do_chores(0.0)
        assert not harness.remove()

        ballast.unlink()
        harness.pump.do_chores(0.0)
        metadata = read_metadata(harness.data.container(ONE))
        assert metadata is not None
        assert metadata.info.container_id == ONE
        assert harness.remove()

    @pytest.mark.usefixtures("dropping")
    def test_whose_disk_refuses_even_an_empty_file_is_tried_again(self, harness: PumpHarness) -> None:
        with no_new_segments():
            harness.pump.detach("a")
            harness.pump.do_chores(0.0)
            assert bases(harness) == [0]
            assert harness.pump.dropping(), "room is to be made for it"
            assert harness.pump.snapshot()[1][ONE].bytes > 0
            assert not harness.remove()
            assert not harness.pump.rotate(ONE)
        harness.pump.do_chores(0.0)
        assert bases(harness) == [0, len(BEFORE + MISSED + MISSED)]
        assert not harness.pump.dropping()

    def test_that_begins_again_before_that_goes_on_counting(self, harness: PumpHarness, disk: Path) -> None:
        first, second = harness.begin("a"), harness.fifo("b")
        ballast = fill(disk)
        with no_new_segments():
            first.write(MISSED)
            harness.turn()
            harness.pump.detach("a")
            harness.pump.attach(harness.attachment(second), 1 << 20, second.open())
            second.write(MISSED)
            harness.turn()
            assert harness.pump.snapshot()[0][0].dropped == Dropped(100, 2 * len(MISSED))
        ballast.unlink()
        harness.pump.do_chores(0.0)
        second.write(AFTER)
        harness.turn()
        assert harness.written() == AFTER
        assert bases(harness)[-1] == 2 * len(MISSED)

    @pytest.mark.usefixtures("dropping")
    def test_is_told_to_delivery_when_its_gap_could_be_made(self, harness: PumpHarness, disk: Path) -> None:
        with no_new_segments():
            harness.pump.detach("a")
        (disk / "ballast").unlink()
        harness.changed.clear()
        harness.pump.do_chores(0.0)
        assert harness.changed == [ONE]


class TestWhatIsDropped:
    def test_is_noted_before_it_is_read_lest_a_kill_loses_it_untold(
        self, harness: PumpHarness, dropping: Fifo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        noted = []
        take = Dropper.take

        def look_and_take(dropper: Dropper, descriptor: int, limit: int) -> int:
            noted.append(noted_gap(harness.data.container(ONE)))
            return take(dropper, descriptor, limit)

        monkeypatch.setattr(Dropper, "take", look_and_take)
        dropping.write(MISSED)
        harness.turn()
        assert noted[0] == len(BEFORE + MISSED + MISSED + MISSED)


class TestWhatAKilledPluginLeft:
    @pytest.fixture
    def left(self, harness: PumpHarness) -> PumpHarness:
        """A journal at whose end lines were dropped when the plugin was killed."""
        fifo = harness.begin("a")
        fifo.write(BEFORE)
        harness.turn()
        harness.pump.detach("a")
        gap_path(harness.data.container(ONE), len(BEFORE) + 1_000).touch()
        harness.pump.start()
        return harness

    def house_is_kept(self, harness: PumpHarness) -> None:
        bounds = DiskBounds(None, None, None)
        Housekeeper(harness.data, harness.pump, bounds, lambda info: validate_leniently(info.options)[0]).round()

    def test_is_a_gap_soon_also_where_the_container_has_ended(self, left: PumpHarness) -> None:
        left.changed.clear()
        self.house_is_kept(left)
        assert left.changed == [ONE]
        assert bases(left) == [0, len(BEFORE) + 1_000]
        assert not list(left.data.container(ONE).glob("*.gap"))

    def test_is_a_gap_soon_also_where_the_container_is_quiet(self, left: PumpHarness) -> None:
        fifo = left.fifo("b")
        left.pump.call(left.pump.attach, left.attachment(fifo), 1 << 20, fifo.open()).result()
        self.house_is_kept(left)
        assert bases(left) == [0, len(BEFORE) + 1_000]
        fifo.write(AFTER)
        left.pump.call(left.pump.drain).result()
        assert left.written() == BEFORE + AFTER
