"""What the tests need of the machine: installs it as root on Debian, and else says what is missing.

    python3 tests/testbed/host.py [--required] NEED…

Runs before there is a virtual environment, so it uses nothing but the standard library. The exit status is 1
when the need `python` is not met, or, with `--required`, any.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

OLDEST_PYTHON = (3, 11)
POLICY = Path("/usr/sbin/policy-rc.d")


def has_program(*names: str) -> Callable[[], bool]:
    """Return a check that these programs are on the path, or in sbin, which a plain user's path lacks."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return lambda: all(shutil.which(name, path=path) for name in names)


def can_make_environments() -> bool:
    """Return whether this Python's `-m venv` works: Debian ships it in a package of its own."""
    return all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))


def can_compile() -> bool:
    """Return whether there is a C compiler, and the headers of this very Python."""
    headers = Path(sysconfig.get_path("include"), "Python.h")
    return has_program(os.environ.get("CC", "cc"))() and headers.exists()


def has_rsyslog() -> bool:
    """Return whether there is an rsyslog that speaks TLS: Debian ships the module for that in a package of its own."""
    return has_program("rsyslogd")() and any(Path("/usr/lib").glob("**/rsyslog/lmnsd_ossl.so"))


def has_receivers() -> bool:
    """Return whether the real servers are there that sinks are tested with."""
    return has_rsyslog() and has_program("redis-server", "nats-server", "rabbitmq-server")()


@dataclass(frozen=True)
class Need:
    """Something the tests use: what for, how to see that it is there, and Debian's packages that bring it."""

    purpose: str
    present: Callable[[], bool]
    packages: tuple[str, ...]


NEEDS = {
    "python": Need("the virtual environment .venv", can_make_environments, ("python3-venv",)),
    "compiler": Need(
        "testing the compiled modules, and with a faulty file system", can_compile, ("gcc", "libc6-dev", "python3-dev")
    ),
    "engine": Need(
        "testing under a real Docker engine",
        has_program("docker", "dockerd", "containerd", "runc", "iptables", "busybox"),
        ("docker.io", "docker-cli", "iptables", "busybox-static"),
    ),
    "image": Need("testing as a managed plugin", has_program("debootstrap"), ("debootstrap",)),
    "registry": Need("testing plugin push and install", has_program("docker-registry"), ("docker-registry",)),
    "receivers": Need(
        "testing syslog, redis, nats and amqp with real servers",
        has_receivers,
        ("rsyslog", "rsyslog-openssl", "redis-server", "nats-server", "rabbitmq-server"),
    ),
    "unit": Need(
        "rating the systemd unit, and testing journald", has_program("systemd-analyze", "journalctl"), ("systemd",)
    ),
    "promtool": Need("testing the alert rules and the dashboard", has_program("promtool"), ("prometheus",)),
    "browser": Need("testing the web page in a browser", has_program("chromium"), ("chromium",)),
    "shells": Need("testing completion in shells", has_program("bash", "zsh", "fish"), ("bash", "zsh", "fish")),
    "node": Need("testing fluentd with a Forward server from npm", has_program("node", "npm"), ("nodejs", "npm")),
}


def is_installable() -> bool:
    """Return whether packages can be installed here: as root, with apt."""
    return os.geteuid() == 0 and has_program("apt-get")()


def apt_get(*arguments: str) -> None:
    """Run apt-get so that it asks nothing; its output is shown only when it fails."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with tempfile.TemporaryFile() as output:
        command = ["apt-get", "--quiet", *arguments]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, check=False
        )
        if done.returncode != 0:
            output.seek(0)
            sys.stderr.buffer.write(output.read())
            raise SystemExit(f"{' '.join(command)} failed with status {done.returncode}; its output is above")


def is_known(package: str) -> bool:
    """Return whether apt has a package of this name."""
    return subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0


def install(packages: list[str]) -> None:
    """Install packages, but start none of the services they bring: the tests start private ones.

    Those that this Debian does not have are left out: the client of docker.io is a package of its own since Debian 13.
    """
    apt_get("update")
    packages = [package for package in packages if is_known(package)]
    print(f"installing {' '.join(packages)}", flush=True)
    holds_policy = not POLICY.exists()
    if holds_policy:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        apt_get("install", "--yes", "--no-install-recommends", *packages)
    finally:
        if holds_policy:
            POLICY.unlink()


def provide(names: list[str]) -> list[str]:
    """See to these needs; return the names of those that stay unmet, after saying what would meet them."""
    missing = [name for name in names if not NEEDS[name].present()]
    if missing and is_installable():
        install(sorted({package for name in missing for package in NEEDS[name].packages}))
        missing = [name for name in missing if not NEEDS[name].present()]
    for name in missing:
        need = NEEDS[name]
        print(
            f"not there: {need.purpose}; on Debian, as root: apt-get install {' '.join(need.packages)}",
            file=sys.stderr,
        )
    return missing


def main() -> int:
    """Run the command line described at the top of this file."""
    parser = argparse.ArgumentParser(description="Install what the tests need, or say what is missing.")
    parser.add_argument("--required", action="store_true", help="fail when anything is missing")
    parser.add_argument("needs", nargs="+", choices=NEEDS, metavar="NEED", help=", ".join(NEEDS))
    arguments = parser.parse_args()
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        print(
            f"Python {found} found at {sys.executable}; Peavey needs 3.11 or newer (make PYTHON=…)",
            file=sys.stderr,
        )
        return 1
    missing = provide(arguments.needs)
    return int(bool(missing) and (arguments.required or "python" in missing))


if __name__ == "__main__":
    sys.exit(main())
