"""What the status is gathered from may be broken: one container must not keep the others from being shown."""

from pathlib import Path

from plugin.config.options import validate_leniently
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.metadata import write_note
from plugin.status.collector import Overview
from tests.intake.pump_bench import ONE, OTHER, Bench, frames, info_of
from tests.journal.entries import write_journal


class NoWorkers:
    """No delivery runs."""

    def wanted(self) -> int:
        """None should."""
        return 0

    def alive(self) -> int:
        """None does."""
        return 0


def test_a_file_in_place_of_a_containers_folder_is_an_empty_journal(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bounds = DiskBounds(None, None, None)
        intake = Intake(bench.data, bench.logging, bounds, lambda info: validate_leniently(info.options)[0])
        write_journal(bench.data.container(OTHER), frames(3))
        write_note(bench.data.container(OTHER), info_of(OTHER), "gone", 12)
        bench.data.container(ONE).write_bytes(b"not a folder")
        fifo = bench.fifo("a")
        intake.start()
        intake.attach(str(fifo.path), info_of(ONE), validate_leniently({})[0])
        fifo.write(frames(3))
        intake.drain().result()
        overview = Overview(
            bench.data, intake, NoWorkers(), bounds, lambda info: validate_leniently(info.options)[0]
        ).gather()
        intake.stop()
    by_id = {one.id: one for one in overview.containers}
    assert (by_id[ONE].journal, by_id[ONE].dropped_lines) == (0, 3)
    assert by_id[OTHER].journal == len(frames(3))
