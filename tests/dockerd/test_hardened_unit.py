"""The driver as docs/peavey.service hardens it, under a real engine: capabilities, mounts and system calls."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.receiving.process import Receivers
from tests.testbed.containers import Containers
from tests.testbed.dockerd import PrivateEngine
from tests.testbed.images import busybox_image
from tests.testbed.server import REPOSITORY, Server
from tests.testbed.tally import numbered
from tests.testbed.unmanaged import Driver, unmanaged_driver
from tests.testbed.waiting import wait_until

pytestmark = pytest.mark.dockerd

UNIT = REPOSITORY / "docs" / "peavey.service"
STATE = Path("/var/lib")


class HardenedServer(Server):
    """A server that systemd has started, as far as that limits it."""

    def command(self) -> list[str]:
        python, *rest = super().command()
        return [python, "-m", "tests.testbed.hardened", str(UNIT), str(self.data.parent), "--", python, *rest]


@pytest.fixture
def hardened(shared_dockerd: PrivateEngine) -> Iterator[Driver]:
    """A driver with its data where the unit's StateDirectory is."""
    assert shared_dockerd is not None
    STATE.mkdir(exist_ok=True)
    with unmanaged_driver(make=HardenedServer, below=str(STATE)) as driver:
        yield driver
        driver.server.cleanup()
        print(f"--- log of the driver\n{driver.server.log[-20_000:]}")
        assert "Traceback" not in driver.server.log


def status_of(pid: int) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


def test_it_works(dockerd: PrivateEngine, hardened: Driver, tmp_path: Path) -> None:
    written = hardened.server.data.parent / "lines.log"
    containers = Containers(dockerd.client, busybox_image(dockerd.client), hardened.name)
    with Receivers(tmp_path) as receivers:
        loki, syslog = receivers.up("loki"), receivers.up("syslog")
        options = {**loki.options, **syslog.options, "sink": "loki,syslog,json-file", "json-file-path": str(written)}
        try:
            first = containers.run("seq", "5000", options={**options, "compress": "true", "max-size": "20k"})
            assert first.wait() == 0
            assert first.logs()[-5:] == b"5000\n"[-5:]
            for process in (hardened.server.pid, *hardened.server.delivering):
                status = status_of(process)
                assert (status["CapEff"], status["CapBnd"]) == ("0000000000000002",) * 2
                assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
            wait_until(lambda: written.exists() and written.read_bytes().count(b"\n") == 5000, "the file is written")
            name = first.client.text("inspect", "--format={{.Name}}", first.id).removeprefix("/")
            for receiver in (loki, syslog):
                assert receiver.wait_for(name, b"5000") == numbered(5000).splitlines()

            hardened.server.kill()
            hardened.server.start()
            second = containers.run("seq", "300", options=options)
            assert second.wait() == 0
            assert second.logs() == numbered(300)
            assert hardened.server.terminate() == 0
        finally:
            if not hardened.server.alive:
                hardened.server.start()
            containers.remove_all()
