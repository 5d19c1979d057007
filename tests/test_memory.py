"""In a process of its own: what is set here would stay."""

import subprocess
import sys

from tests.testbed.server import REPOSITORY

SCRIPT = """
from pathlib import Path
from plugin.memory import give_memory_back, keep_memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_memory()
before = held()
pieces = [b"x" * 1_000_000 for _ in range(20)]
pieces.clear()
assert held() - before > 15_000_000, "the memory is kept"
give_memory_back()
assert held() - before < 5_000_000, "the memory is given back"
"""


def test_memory_is_kept_until_it_is_given_back() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=REPOSITORY, check=True)
