"""Containers of a real engine, each with the log driver that the test names."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.testbed.dockerd import Client


@dataclass(frozen=True)
class Container:
    """One container, running or not; `id` is the full one."""

    client: Client
    id: str

    def logs(self, *flags: str) -> bytes:
        """What `docker logs` prints on its stdout."""
        return self.read_logs(*flags).stdout

    def read_logs(self, *flags: str) -> subprocess.CompletedProcess[bytes]:
        """`docker logs`, run to its end; raises EngineError when it fails."""
        return self.client.run("logs", *flags, self.id)

    def follow(self, *flags: str) -> subprocess.Popen[bytes]:
        """`docker logs --follow`, left running with its stdout on a pipe."""
        return self.client.start("logs", "--follow", *flags, self.id)

    def start(self) -> None:
        """Start it again."""
        self.client.run("start", self.id)

    def stop(self, seconds: int = 1) -> None:
        """Stop it: SIGTERM, and SIGKILL after so many seconds."""
        self.client.run("stop", f"--time={seconds}", self.id)

    def restart(self) -> None:
        """Stop it with SIGKILL and start it again."""
        self.client.run("restart", "--time=0", self.id)

    def wait(self) -> int:
        """Wait until it ends; return its exit code."""
        return int(self.client.text("wait", self.id))

    def state(self) -> dict[str, Any]:
        """What the engine says of its state, such as Running and ExitCode."""
        found: dict[str, Any] = json.loads(self.client.text("inspect", "--format={{json .State}}", self.id))
        return found


@dataclass
class Containers:
    """Containers of one image with one log driver, all removed at the end.

    They have no network, which a private engine does not offer.
    """

    client: Client
    image: str
    driver: str
    _made: list[Container] = field(default_factory=list)

    def run(
        self,
        *command: str,
        driver: str | None = None,
        options: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
    ) -> Container:
        """Start a container in the background; `options` are log-opts, `flags` further ones of `docker run`."""
        made = self.create(*command, driver=driver, options=options, flags=flags)
        made.start()
        return made

    def shell(self, script: str, *, options: Mapping[str, str] | None = None, flags: Sequence[str] = ()) -> Container:
        """Start a container that runs a shell script."""
        return self.run("sh", "-c", script, options=options, flags=flags)

    def printing(self, output: bytes, *, driver: str | None = None, tty: bool = False) -> Container:
        """Have a container print exactly these bytes on its stdout, and wait until it has ended."""
        made = self.create("cat", driver=driver, flags=["--interactive", *(["--tty"] if tty else [])])
        self.client.run("start", "--attach", "--interactive", made.id, stdin=output)
        return made

    def create(
        self,
        *command: str,
        driver: str | None = None,
        options: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
    ) -> Container:
        """Make a container without starting it."""
        log_options = [f"--log-opt={name}={value}" for name, value in (options or {}).items()]
        identifier = self.client.text(
            *("create", "--network=none", f"--log-driver={driver or self.driver}", *log_options),
            *(*flags, self.image, *command),
        )
        made = Container(self.client, identifier)
        self._made.append(made)
        return made

    def remove_all(self) -> None:
        """Remove every container that was made here, running or not."""
        if self._made:
            self.client.run("rm", "--force", "--volumes", *(container.id for container in self._made), check=False)
        self._made.clear()
