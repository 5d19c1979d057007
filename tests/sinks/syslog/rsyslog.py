"""A private rsyslog as the receiver of tests: it writes what it understood of each message as JSON."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.host import has_program
from tests.testbed.ports import HeldPort
from tests.testbed.waiting import wait_until

_PROPERTIES = {
    "pri": 'name="pri"',
    "time": 'name="timereported" dateFormat="rfc3339"',
    "host": 'name="hostname"',
    "app": 'name="app-name"',
    "pid": 'name="procid"',
    "message_id": 'name="msgid"',
    "text": 'name="msg"',
    "raw": 'name="rawmsg"',
}


def _free_udp_port() -> int:
    """Find a port on the loopback that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Rsyslog:
    """One rsyslogd that listens at UDP and TCP (over TLS with ``tls`` settings), and at two unix sockets."""

    def __init__(self, folder: Path, tls: str = "", global_tls: str = "") -> None:
        self._held = HeldPort()
        self.tcp = self._held.number
        self.udp = _free_udp_port()
        self.stream = folder / "stream.sock"
        self.gram = folder / "gram.sock"
        self._output = folder / "messages"
        self._config = folder / "rsyslog.conf"
        self._pid_file = folder / "pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._config.write_text(self._text(folder, tls, global_tls))

    def _text(self, folder: Path, tls: str, global_tls: str) -> str:
        properties = ' constant(value=",") '.join(
            f'property(outname="{name}" {source} format="jsonf")' for name, source in _PROPERTIES.items()
        )
        return f"""
            global(workDirectory="{folder}" maxMessageSize="2m" parser.escapeControlCharactersOnReceive="off"
                   {global_tls})
            module(load="imudp")
            module(load="imtcp" {tls})
            module(load="imptcp")
            module(load="imuxsock" sysSock.use="off")
            template(name="all" type="list") {{
                constant(value="{{") {properties} constant(value="}}\\n")
            }}
            ruleset(name="write" queue.type="direct") {{ action(type="omfile" file="{self._output}" template="all") }}
            input(type="imudp" address="127.0.0.1" port="{self.udp}" ruleset="write" rcvbufSize="64m")
            input(type="imtcp" address="127.0.0.1" port="{self.tcp}" ruleset="write")
            input(type="imptcp" path="{self.stream}" ruleset="write")
            input(type="imuxsock" socket="{self.gram}" ruleset="write" useSysTimeStamp="off" usePIDFromSystem="off")
        """

    def start(self) -> None:
        """Start it, and wait until it listens."""
        environment = os.environ | {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        self._process = subprocess.Popen(
            ["rsyslogd", "-n", "-f", str(self._config), "-i", str(self._pid_file)],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._listens, "rsyslog listens at all of its sockets")

    def _listens(self) -> bool:
        return (
            f":{self.udp:04X} " in Path("/proc/net/udp").read_text()
            and f":{self.tcp:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()
            and self.stream.exists()
            and self.gram.exists()
        )

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._held.release()

    def messages(self, count: int) -> list[dict[str, Any]]:
        """Wait until it has written this many messages, and return all that it has."""
        wait_until(lambda: self._lines() >= count, f"{count} messages at rsyslog")
        if not self._output.exists():
            return []
        return [json.loads(line) for line in self._output.read_text(errors="surrogateescape").splitlines()]

    def _lines(self) -> int:
        return self._output.read_bytes().count(b"\n") if self._output.exists() else 0


@contextmanager
def rsyslog(folder: Path, tls: str = "", global_tls: str = "") -> Iterator[Rsyslog]:
    """Run an rsyslog of the test's own; skips where there is none."""
    if not has_program("rsyslogd")():
        pytest.skip("no rsyslog here")
    receiver = Rsyslog(folder, tls, global_tls)
    try:
        receiver.start()
        yield receiver
    finally:
        receiver.close()
