"""``peavey forget`` with the real processes, and what nobody has taken for too long."""

import os
import subprocess

from tests.scenarios.test_profiles import END, last_line, say, status, to
from tests.sinks.receiving.process import Receivers
from tests.testbed.folders import DataFolder
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server, run_to_end
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until


def forget(server: Server, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return run_to_end([*server.command()[:3], "forget", "--data", str(server.data), *arguments])


def waiting(server: Server, engine: Engine, options: dict[str, str]) -> Container:
    """A container whose lines wait for a destination that is found to be down."""
    container = engine.run(options)
    container.print(b"".join(numbered(500)))
    say(container, b"before")
    wait_until(lambda: last_line(container) == b"before", "the journal has it")
    wait_until(lambda: any(one.retries for one in status(server).destinations), "the destination is found to be down")
    return container


def lag(server: Server, container: Container) -> int:
    (one,) = (one for one in status(server).containers if one.id == container.id)
    return one.sinks[0].lag_bytes


def test_a_running_container_is_refused_and_nothing_is_done_unasked(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    container = waiting(server, engine, to(receivers.down("http")))
    refused = forget(server, container.id, "--force")
    assert refused.returncode == 1
    assert b"running: " in refused.stderr
    container.stop()
    unasked = forget(server, container.id)
    assert unasked.returncode == 1
    assert b"give --force" in unasked.stderr
    assert b"sink http has not got " in unasked.stdout
    assert last_line(container) == b"before"


def test_the_journal_of_a_stopped_one_goes_whether_or_not_the_plugin_runs(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    options = to(receivers.down("http"))
    first, second = (waiting(server, engine, options) for _ in range(2))
    for container in (first, second):
        container.stop()
    done = forget(server, first.id, "--force")
    assert done.returncode == 0, done.stderr
    assert b"about 501 lines" in done.stdout
    assert not data.journal_folder(first.id).exists()
    assert "journal removed: forgotten (peavey forget)" in server.log
    server.kill()
    server.kill_delivery()
    done = forget(server, second.id, "--force")
    assert done.returncode == 0, done.stderr
    assert not data.journal_folder(second.id).exists()
    assert os.listdir(data.journal_folder(second.id).parent) == []


def test_a_sink_alone_goes_on_behind_what_it_has_not_got(server: Server, engine: Engine, receivers: Receivers) -> None:
    """Once with delivery running, once without; what was being sent just then may still arrive."""
    receiver = receivers.down("http")
    container = waiting(server, engine, to(receiver) | {"batch-size": "4k"})
    done = forget(server, container.id, "--sink", "http", "--force")
    assert done.returncode == 0, done.stderr
    assert lag(server, container) == 0
    wait_until(lambda: "sink http: goes on behind what was given up" in server.log, "delivery has followed")

    server.kill()
    server.kill_delivery()
    server.start()
    container.print(b"".join(numbered(100, first=1_000)))
    wait_until(lambda: last_line(container) == plain(numbered(100, first=1_000))[-1], "the journal has it")
    server.kill()
    server.kill_delivery()
    assert forget(server, container.id, "--sink", "http", "--force").returncode == 0
    receiver.start()
    server.start()
    say(container, END)
    assert receiver.wait_for(container.name, END) == [END]
    (one,) = (one for one in status(server).containers if one.id == container.id)
    assert one.sinks[0].gap_bytes > 600 * 25
    assert len(container.output().splitlines()) == 602


def test_a_name_that_no_sink_has_is_told(server: Server, engine: Engine, receivers: Receivers) -> None:
    container = waiting(server, engine, to(receivers.down("http")))
    done = forget(server, container.id, "--sink", "htp", "--force")
    assert done.returncode == 1
    assert b"no sink 'htp' (did you mean 'http'?)" in done.stderr


def test_what_no_destination_has_taken_for_too_long_is_given_up(
    idle_server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    idle_server.environment |= {"PEAVEY_KEEP_UNDELIVERED": "1s", "PEAVEY_KEEP_STOPPED": "1s"}
    idle_server.start()
    container = waiting(idle_server, engine, to(receivers.down("http")))
    container.stop()
    wait_until(lambda: not data.journal_folder(container.id).exists(), "it is given up, and the journal removed")
    assert f"container {container.name} ({container.id[:12]}), sink http: gave up " in idle_server.log
