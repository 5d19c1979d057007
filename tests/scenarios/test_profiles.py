"""Profiles and routes by the real processes: what becomes of containers that are there already when they change."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
import yaml

from plugin.status.client import ask_status
from plugin.status.model import Status
from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.testbed.client import PluginError
from tests.testbed.lifetimes import tidy_server
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server, run_to_end
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

END = b"the end"


class File:
    """The file of profiles."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, text: str) -> None:
        """Replace it as editors do."""
        temporary = self.path.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.path)

    def set(self, profiles: Mapping[str, Mapping[str, str]], *routes: Mapping[str, object]) -> None:
        """Write one with these profiles and routes."""
        self.write(yaml.safe_dump({"profiles": {name: dict(one) for name, one in profiles.items()}, "routes": routes}))


@pytest.fixture
def file(folder: Path) -> File:
    return File(folder / "peavey.yaml")


@pytest.fixture
def server(folder: Path, file: File) -> Iterator[Server]:
    with tidy_server(Server(folder, {"PEAVEY_CONFIG": str(file.path)})) as server:
        server.start()
        yield server


def status(server: Server) -> Status:
    return msgspec.json.decode(ask_status(server.socket), type=Status)


def sinks(server: Server, container: Container) -> list[str]:
    """The sinks that a container has by the status."""
    return [sink.instance for one in status(server).containers if one.id == container.id for sink in one.sinks]


def wait_for_sinks(server: Server, container: Container, *expected: str) -> None:
    wait_until(lambda: sinks(server, container) == [*expected], f"the sinks of {container.name} are {expected}")


def say(container: Container, line: bytes) -> None:
    container.print(line + b"\n")


def last_line(container: Container) -> bytes:
    return b"".join(entry.line for entry in container.logs(tail=1)).rstrip(b"\n")


def to(receiver: ReceiverProcess, **options: str) -> dict[str, str]:
    return receiver.options | options


def test_a_container_without_options_gets_a_sink_while_it_prints_from_one_point_on(
    server: Server, engine: Engine, receivers: Receivers, file: File
) -> None:
    receiver = receivers.up("http")
    container = engine.run({})
    before, after = numbered(2_000), numbered(2_000, first=5_000)
    container.print(b"".join(before))
    wait_until(lambda: last_line(container) == plain(before)[-1], "the journal has it")
    file.set({"standard": to(receiver)}, {"use": ["standard"]})
    number = 10_000
    while sinks(server, container) != ["standard.http"]:
        say(container, b"meanwhile %d" % number)
        number += 1
    container.print(b"".join(after))
    say(container, END)
    container.stop()

    arrived = receiver.wait_for(container.name, END)
    printed = container.output().splitlines()
    assert arrived == printed[-len(arrived) :]
    assert len(plain(after)) < len(arrived) <= len(after) + 1 + number - 10_000
    assert "profiles: " in server.log


def test_lines_from_before_come_where_the_profile_says_so(
    server: Server, engine: Engine, receivers: Receivers, file: File
) -> None:
    """Also those of a container that has stopped, by a server that was killed meanwhile."""
    everything, last_hour = receivers.up("http"), receivers.up("loki")
    running, stopped = engine.run({}), engine.run({})
    for container in (running, stopped):
        container.print(b"".join(numbered(3_000)))
        say(container, END)
    stopped.stop()
    server.kill()
    file.set({"all": to(everything, start="beginning"), "hour": to(last_hour, start="1h")}, {"use": ["all", "hour"]})
    server.start()
    for container in (running, stopped):
        assert everything.wait_for(container.name, END) == [*plain(numbered(3_000)), END]
        assert last_hour.wait_for(container.name, END) == [*plain(numbered(3_000)), END]


def test_a_profile_that_is_taken_away_and_given_back_goes_on_where_it_was(
    server: Server, engine: Engine, receivers: Receivers, file: File
) -> None:
    receiver = receivers.up("http")
    route = {"when": {"name": "peavey-*"}, "use": ["standard"]}
    file.set({"standard": to(receiver)}, route)
    container = engine.run({})
    wait_for_sinks(server, container, "standard.http")
    say(container, b"before")
    receiver.wait_for(container.name, b"before")
    wait_until(lambda: status(server).containers[0].sinks[0].records == 1, "it is acknowledged")

    file.set({"standard": to(receiver)}, {**route, "use": []})
    wait_for_sinks(server, container)
    wait_until(lambda: "sink standard.http" in server.log and "released" in server.log, "it is told")
    say(container, b"meanwhile")
    server.kill_delivery()
    file.set({"standard": to(receiver)}, route)
    wait_for_sinks(server, container, "standard.http")
    say(container, END)
    assert receiver.wait_for(container.name, END) == [b"before", b"meanwhile", END]


def test_a_change_while_a_destination_is_down_loses_nothing_of_the_new_ones(
    server: Server, engine: Engine, receivers: Receivers, file: File
) -> None:
    down, other = receivers.down("http"), receivers.up("loki")
    file.set({"old": to(down), "new": to(other)}, {"use": ["old"]})
    container = engine.run({})
    wait_for_sinks(server, container, "old.http")
    container.print(b"".join(numbered(500)))
    wait_until(lambda: any(one.retries for one in status(server).destinations), "the destination is found to be down")
    server.kill_delivery()
    say(container, b"before")
    wait_until(lambda: last_line(container) == b"before", "the journal has it")
    file.set({"old": to(down), "new": to(other)}, {"use": ["new"]})
    wait_for_sinks(server, container, "new.loki")
    container.print(b"".join(numbered(500, first=1_000)))
    say(container, END)
    assert other.wait_for(container.name, END)[-501:] == [*plain(numbered(500, first=1_000)), END]

    down.start()
    file.set({"old": to(down), "new": to(other)}, {"use": ["old", "new"]})
    assert down.wait_for(container.name, END)[:501] == [*plain(numbered(500)), b"before"]


def test_a_faulty_file_changes_nothing_and_is_seen(
    server: Server, engine: Engine, receivers: Receivers, file: File
) -> None:
    receiver = receivers.up("http")
    file.set({"standard": to(receiver)}, {"use": ["standard"]})
    container = engine.run({})
    wait_for_sinks(server, container, "standard.http")

    file.write("profiles:\n  standard: {htp-url: http://a}\nroutes: [{use: [standrd]}]\n")
    wait_until(lambda: status(server).faults, "the fault is in the status")
    (fault,) = status(server).faults
    for told in ("line 2:", "did you mean 'http-url'?", "line 3:", "'standrd'", "stays in force"):
        assert told in fault
    server.kill()
    server.start()
    assert sinks(server, container) == ["standard.http"]
    assert status(server).faults == [fault]
    say(container, END)
    receiver.wait_for(container.name, END)

    file.path.unlink()
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: any("it is gone" in one for one in status(server).faults), "that it is gone is seen")
    assert sinks(server, container) == ["standard.http"]
    file.write("")
    wait_for_sinks(server, container)
    assert status(server).faults == []


def test_a_container_may_choose_profiles_and_is_refused_others(
    server: Server, engine: Engine, receivers: Receivers, file: File
) -> None:
    receiver = receivers.up("http")
    with pytest.raises(PluginError, match="unknown profile 'standard'"):
        engine.run({"profile": "standard"})
    file.set({"standard": to(receiver)})
    wait_until(lambda: "is in force" in server.log, "it is in force")
    with pytest.raises(PluginError, match="did you mean 'standard'"):
        engine.run({"profile": "standart"})
    container = engine.run({"profile": "standard"})
    say(container, b"one")
    receiver.wait_for(container.name, b"one")

    file.set({"other": to(receiver)})
    wait_until(lambda: any("unknown profile 'standard'" in one for one in status(server).faults), "it is missed")
    say(container, END)
    container.stop()
    file.set({"standard": to(receiver)})
    assert receiver.wait_for(container.name, END) == [b"one", END]


def test_the_command_checks_a_file_and_shows_what_is_in_force(
    server: Server, engine: Engine, receivers: Receivers, file: File
) -> None:
    receiver = receivers.up("http")
    file.set({"standard": to(receiver, **{"http-bearer-token": "sesame"})}, {"use": ["standard"]})
    peavey = server.command()[:3]
    checked = run_to_end([*peavey, "config", "check", str(file.path)])
    assert (checked.returncode, checked.stdout.split(b": ")[1]) == (0, b"1 profiles, 1 routes, no faults\n")
    container = engine.run({"labels": "team"})
    say(container, b"one")
    wait_for_sinks(server, container, "standard.http")
    shown = run_to_end([*peavey, "config", "show", "--data", str(server.data), container.id]).stdout.decode()
    assert "profiles: standard (by a route)" in shown
    assert "sink standard.http (http):" in shown
    assert "http-bearer-token=***  (profile 'standard')" in shown
    assert "labels=team  (container)" in shown
    assert "sesame" not in shown + server.log

    file.write("profiles: {a: {loki-ur: x}}")
    checked = run_to_end([*peavey, "config", "check", str(file.path)])
    assert checked.returncode == 1
    assert b"line 1: profile 'a': unknown log-opt 'loki-ur'" in checked.stderr
