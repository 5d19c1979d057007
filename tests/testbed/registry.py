"""A registry of our own on 127.0.0.1, which any engine on this machine trusts without TLS."""

import contextlib
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.testbed.dockerd import program_path
from tests.testbed.ports import HeldPort

START_SECONDS = 120.0
CONFIGURATION = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: "{folder}"}}}}
http: {{addr: "{address}"}}
"""


class RegistryError(Exception):
    """The registry could not be started; the message holds its log."""


@contextlib.contextmanager
def local_registry() -> Iterator[str]:
    """Run Debian's docker-registry on a free port, empty; return its address, such as 127.0.0.1:5000."""
    program = shutil.which("docker-registry", path=program_path())
    if program is None:
        raise RegistryError("docker-registry is not on this machine: python3 tests/testbed/host.py registry")
    with HeldPort() as port, tempfile.TemporaryDirectory(prefix="peavey-registry-") as folder:
        address = f"127.0.0.1:{port.number}"
        configuration, log = Path(folder, "config.yml"), Path(folder, "log")
        configuration.write_text(CONFIGURATION.format(folder=f"{folder}/data", address=address), encoding="utf-8")
        with log.open("wb") as output:
            process = subprocess.Popen([program, "serve", str(configuration)], stdout=output, stderr=output)
        try:
            _wait_until_it_answers(process, address, log)
            yield address
        finally:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while True:
        with (
            contextlib.suppress(OSError),
            opener.open(f"http://{address}/v2/", timeout=5),
        ):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RegistryError(f"docker-registry does not answer on {address}:\n{log.read_text(encoding='utf-8')}")
        time.sleep(0.05)
