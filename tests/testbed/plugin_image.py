"""A Debian base image for the plugin, made by debootstrap, and the plugin built on it by our own Makefile.

The Dockerfile knows nothing of the machine it is built on. What this machine's package managers need to reach their
registries (certificates, an index, a proxy) is put into the base image, which is only for tests.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.testbed.dockerd import Client, EngineError, program_path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / "build/testbed"
BASE = "peavey-base:latest"
PACKAGES = ("python3", "python3-venv", "ca-certificates")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
BUILD_SECONDS = 900.0


def base_image(client: Client) -> str:
    """See to it that the engine has the base image; return its name. The first time takes a minute or so."""
    if client.run("image", "inspect", BASE, check=False).returncode != 0:
        client.run("import", str(_base_archive()), BASE)
    return BASE


def make(client: Client, build: Path, target: str, name: str) -> subprocess.CompletedProcess[str]:
    """Run make for a plugin, given as name:tag, under the client's engine; what it makes goes into `build`."""
    repository, _, tag = name.rpartition(":")
    variables = {
        "BASE": BASE,
        "BUILD": str(build),
        "BUILD_FLAGS": "--network host",
        "PLUGIN_NAME": repository,
        "PLUGIN_TAG": tag,
        "PYTHON": sys.executable,
    }
    return subprocess.run(
        ["make", "--no-print-directory", target, *(f"{key}={value}" for key, value in variables.items())],
        cwd=REPOSITORY,
        env=client.environment | {"DOCKER_HOST": client.host, "DOCKER_BUILDKIT": _buildkit(client)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )


def _buildkit(client: Client) -> str:
    """Return whether BuildKit is to build: where its client part is not installed, only the classic builder can."""
    return "1" if client.run("buildx", "version", check=False).returncode == 0 else "0"


def _base_archive() -> Path:
    """Return the base image's root file system as a tar file, from the cache where it was made before."""
    suite, settings = _debian_suite(), _pip_settings() + _apt_settings()
    certificates = CERTIFICATES.read_bytes() if CERTIFICATES.exists() else b""
    recipe = "\n".join([suite, platform.machine(), *PACKAGES, *settings]).encode() + certificates
    archive = CACHE / f"base-{suite}-{hashlib.sha256(recipe).hexdigest()[:16]}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="base-", dir=CACHE) as folder:
            root = Path(folder, "root")
            _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root))
            _write(root / "etc/pip.conf", _pip_settings())
            _write(root / "etc/apt/apt.conf.d/90host", _apt_settings())
            if certificates:
                (root / CERTIFICATES.relative_to("/")).write_bytes(certificates)
            _run("chroot", str(root), "apt-get", "clean")
            packed = Path(folder, "base.tar")
            _run("tar", "--create", f"--file={packed}", f"--directory={root}", "--exclude=./var/lib/apt/lists/*", ".")
            packed.rename(archive)
    return archive


def _debian_suite() -> str:
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines() if "=" in line
    )
    return release.get("VERSION_CODENAME", "bookworm").strip('"')


def _pip_settings() -> list[str]:
    """Return a pip.conf with this machine's certificates, index and proxy; a folder of wheels stays behind."""
    listed = _run(sys.executable, "-m", "pip", "config", "list").splitlines()
    found = {name.rpartition(".")[2]: value.strip("'") for name, _, value in (line.partition("=") for line in listed)}
    kept = {name: value for name, value in found.items() if name in PIP_SETTINGS and "file:" not in value}
    if CERTIFICATES.exists():
        kept["cert"] = str(CERTIFICATES)
    return ["[global]", *(f"{name} = {value}" for name, value in sorted(kept.items()))]


def _apt_settings() -> list[str]:
    """Return apt's proxy settings of this machine."""
    return [line for line in _run("apt-config", "dump", "Acquire").splitlines() if "proxy" in line.lower()]


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _run(*command: str) -> str:
    """Run a command and give its stdout; raises EngineError with all it said when it fails."""
    program = shutil.which(command[0], path=program_path())
    if program is None:
        raise EngineError(f"{command[0]} is not on this machine: python3 tests/testbed/host.py image")
    environment = os.environ | {"PATH": program_path(), "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise EngineError(f"{' '.join(command)}: status {done.returncode}: {done.stdout[-2000:]}{done.stderr}")
    return done.stdout
