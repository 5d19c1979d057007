"""The rule of CI that nothing may be skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run(folder: Path, text: str, *flags: str) -> tuple[int, str]:
    """Run a test module under the rule; return the exit status and what pytest printed."""
    (folder / "test_it.py").write_text(f"import pytest\n{text}\n", encoding="utf-8")
    options = ["-p", "tests.testbed.no_skips", "-c", "/dev/null", "--rootdir", str(folder)]
    command = [sys.executable, "-m", "pytest", *options, *flags, str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_a_run_without_skips_passes(tmp_path: Path) -> None:
    status, _ = run(tmp_path, "def test_it(): pass")
    assert status == 0


@pytest.mark.parametrize("flags", [(), ("-n", "2")], ids=["in one process", "spread over several"])
@pytest.mark.parametrize(
    "text",
    [
        "@pytest.mark.skip(reason='no reason')\ndef test_it(): pass\ndef test_other(): pass",
        "def test_it(): pytest.skip('no reason')\ndef test_other(): pass",
        "pytest.skip('no reason', allow_module_level=True)",
    ],
    ids=["marked", "in the test", "whole module"],
)
def test_a_skip_fails_the_run_and_is_named(tmp_path: Path, text: str, flags: tuple[str, ...]) -> None:
    status, output = run(tmp_path, text, *flags)
    assert status != 0
    assert "skipped, and nothing may be" in output
    assert "test_it" in output.partition("skipped, and nothing may be")[2]
