"""The facts of the machine and of the software that was measured."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import plugin
from plugin.docker import frames
from tests.testbed.dockerd import program_path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE_FOLDER = Path(plugin.__file__).resolve().parents[1]
"""Where the package lies that is measured: what Python finds as ``plugin``, the source or a compiled one."""


@dataclass(frozen=True)
class Machine:
    """Where and when a result came about; memory in bytes, load as the average of the minute before."""

    cpu: str
    cores: int
    memory: int
    kernel: str
    python: str
    engine: str
    peavey: str
    commit: str
    compiled: bool
    date: str
    load: float


def is_compiled() -> bool:
    """Return whether the package that is measured has its hot modules in compiled form."""
    return Path(frames.__file__).suffix != ".py"


def machine() -> Machine:
    """Look at the machine, now."""
    return Machine(
        cpu=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8")) or platform.machine(),
        cores=os.cpu_count() or 0,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        engine=_engine_version(),
        peavey=plugin.__version__,
        commit=_commit(),
        compiled=is_compiled(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        load=round(os.getloadavg()[0], 2),
    )


def cpu_model(cpuinfo: str) -> str:
    """Find the processor's name in what /proc/cpuinfo says; empty where it gives none, as on some arm64 kernels."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else ""


def _engine_version() -> str:
    """Return the engine's version, empty when none is installed."""
    said = _output([shutil.which("dockerd", path=program_path()) or "dockerd", "--version"])
    found = re.search(r"version ([^,\s]+)", said)
    return found[1] if found else ""


def _commit() -> str:
    """Return the source's commit, with a plus when it was changed since; empty outside a clone."""
    commit = _output(["git", "rev-parse", "--short=12", "HEAD"])
    changed = commit and _output(["git", "status", "--porcelain", "--", "plugin", "pyproject.toml", "setup.py"])
    return f"{commit}+" if changed else commit


def _output(command: list[str]) -> str:
    """Return what a program prints, or nothing if it does not exist or fails."""
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
