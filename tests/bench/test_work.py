"""What the containers print: exactly the lines that are counted afterwards."""

import subprocess
from pathlib import Path

import pytest

from bench.receiver import MARKER
from bench.work import Work, count_marked


@pytest.mark.parametrize("work", [Work(1000, 100), Work(20, 1 << 14), Work(5, 1 << 20)])
def test_a_container_prints_its_lines(work: Work, tmp_path: Path) -> None:
    printed = subprocess.run(
        ["sh", "-c", work.script],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
    ).stdout
    lines = printed.splitlines(keepends=True)
    assert [len(line) for line in lines] == [work.line_bytes] * work.lines
    assert all(line.count(MARKER) == 1 for line in lines)


def test_the_marker_is_not_in_the_command_that_some_drivers_send() -> None:
    assert MARKER.decode() not in Work(1000, 100).script
    assert MARKER.decode() not in Work(5, 1 << 20).script


def test_marked_lines_of_a_file_are_counted_across_its_pieces(tmp_path: Path) -> None:
    file = tmp_path / "log"
    # With a length that divides no piece, some markers lie across two.
    file.write_bytes((MARKER + b"." * 87 + b"\n") * 50_000)
    assert count_marked(file) == 50_000


def test_lines_of_several_containers_add_up() -> None:
    assert Work(50, 100, containers=20).total_lines == 1000
