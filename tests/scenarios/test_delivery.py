"""Delivery by the real processes: what containers print arrives, whatever dies, freezes, or is not there at all."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
import trustme

from plugin.journal.cursors.store import read_cursor
from plugin.status.client import ask_status, read_status
from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.sinks.receiving.received import without_repeats
from tests.testbed.client import PluginError
from tests.testbed.folders import DataFolder, snapshot
from tests.testbed.printer import Printer, numbered, plain
from tests.testbed.server import Server, refusal, run_to_end
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

MORE_THAN_A_PIPE = 20_000  # lines of 150 bytes: three times the 1 MiB that a pipe is enlarged to
END = b"the end"


def run(engine: Engine, *receivers: ReceiverProcess, options: Mapping[str, str] | None = None) -> Container:
    chosen: dict[str, str] = {}
    for receiver in receivers:
        chosen |= receiver.options
    return engine.run(chosen | dict(options or {}))


def say_the_end(container: Container) -> None:
    container.print(END + b"\n")


def print_to_the_end(container: Container, lines: Iterable[bytes]) -> None:
    """Print the last lines of a container, say the end, and stop it."""
    container.print(b"".join(lines))
    say_the_end(container)
    container.stop()


def arrived(receiver: ReceiverProcess, container: Container) -> list[bytes]:
    """Wait for the end of a container's log, and give the lines before it."""
    *lines, end = receiver.wait_for(container.name, END)
    assert end == END
    return lines


def delivered(data: DataFolder, container: Container) -> int:
    """Count the records of a container that a syslog server has acknowledged."""
    cursor = read_cursor(data.journal_folder(container.id), "syslog")
    return 0 if cursor is None else cursor.records


@pytest.mark.parametrize("protocol", ["loki", "http", "fluentd", "syslog"])
def test_lines_arrive_while_the_container_runs_and_after_it_stopped(
    server: Server, engine: Engine, receivers: Receivers, protocol: str
) -> None:
    receiver = receivers.up(protocol)
    container = run(engine, receiver)
    first, rest = numbered(1_000), numbered(1_000, first=1_000)
    container.print(b"".join(first))
    assert receiver.wait_for(container.name, plain(first)[-1]) == plain(first)

    print_to_the_end(container, rest)
    assert arrived(receiver, container) == plain(first + rest)
    assert server.alive


def test_two_sinks_at_once(server: Server, engine: Engine, receivers: Receivers) -> None:
    loki, fluentd = receivers.up("loki"), receivers.up("fluentd")
    container = run(engine, loki, fluentd)
    lines = numbered(2_000)
    print_to_the_end(container, lines)

    assert arrived(loki, container) == plain(lines)
    assert arrived(fluentd, container) == plain(lines)
    assert server.alive


def test_one_that_is_down_does_not_delay_the_other(server: Server, engine: Engine, receivers: Receivers) -> None:
    down, up = receivers.down("loki"), receivers.up("http")
    container = run(engine, down, up)
    lines = numbered(2_000)
    print_to_the_end(container, lines)

    assert arrived(up, container) == plain(lines)
    down.start()
    assert arrived(down, container) == plain(lines)
    assert server.alive


def test_plugin_wide_defaults_choose_a_sink(idle_server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("loki")
    idle_server.environment["PEAVEY_LOG_OPTS"] = json.dumps(receiver.options)
    idle_server.start()
    container = engine.run()
    lines = numbered(100)
    print_to_the_end(container, lines)

    assert arrived(receiver, container) == plain(lines)


def test_a_plugin_wide_sink_that_is_added_later_is_sent_what_comes_then(
    idle_server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.up("loki")
    idle_server.start()
    stopped, running = engine.run(), engine.run()
    for container in (stopped, running):
        container.print(b"".join(numbered(100, "before")))
    stopped.stop()
    assert idle_server.terminate() == 0
    idle_server.environment["PEAVEY_LOG_OPTS"] = json.dumps(receiver.options)
    idle_server.start()
    after = numbered(100, "after")
    print_to_the_end(running, after)
    assert arrived(receiver, running) == plain(after)
    of = {container.id: container for container in read_status(ask_status(idle_server.socket)).containers}
    assert (of[stopped.id].sinks, len(of[running.id].sinks)) == ([], 1)

    stopped.start()
    print_to_the_end(stopped, after)
    assert arrived(receiver, stopped) == plain(after)


def test_a_last_line_without_a_newline_arrives(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("loki")
    container = run(engine, receiver)
    container.print(b"one\ntwo\nprompt> ")
    container.stop()

    assert receiver.wait_for(container.name, b"prompt> ") == [b"one", b"two", b"prompt> "]
    assert server.alive


def test_a_destination_that_is_down_from_the_start(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.down("loki")
    container = run(engine, receiver)
    lines = numbered(MORE_THAN_A_PIPE, padding=130)
    print_to_the_end(container, lines)
    assert [entry.line for entry in container.logs()] == [*lines, END + b"\n"]

    receiver.start()
    assert arrived(receiver, container) == plain(lines)
    assert server.alive


@pytest.mark.parametrize("protocol", ["loki", "fluentd", "syslog"])
def test_a_destination_that_is_frozen_for_longer_than_the_pipe_lasts(
    server: Server, engine: Engine, receivers: Receivers, protocol: str
) -> None:
    receiver = receivers.up(protocol)
    container = run(engine, receiver)
    container.print(b"before\n")
    receiver.wait_for(container.name, b"before")
    receiver.freeze()
    lines = numbered(MORE_THAN_A_PIPE, padding=130)
    print_to_the_end(container, lines)
    assert [entry.line for entry in container.logs(tail=1)] == [END + b"\n"]

    receiver.thaw()
    assert without_repeats(arrived(receiver, container)).lines == [b"before", *plain(lines)]
    assert server.alive


def test_a_server_without_answers_that_freezes_and_is_killed_in_a_quiet_time(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    receiver = receivers.up("syslog")
    container = run(engine, receiver)
    container.print(b"before\n")
    receiver.wait_for(container.name, b"before")
    receiver.freeze()
    lines = numbered(100)
    print_to_the_end(container, lines)
    wait_until(lambda: delivered(data, container) == len(lines) + 2, "all lines count as delivered")
    receiver.kill()
    receiver.start()

    assert without_repeats(arrived(receiver, container)).lines == [b"before", *plain(lines)]
    assert server.alive


def print_through(kills: int, kill: Callable[[], None], engine: Engine, receiver: ReceiverProcess) -> None:
    """Print while something is killed again and again, each time lines have arrived; all must, and few twice."""
    container = run(engine, receiver, options={"batch-size": "20k"})
    with Printer(container) as printer:
        for _ in range(kills):
            before = len(receiver.received)
            wait_until(lambda before=before: len(receiver.received) > before + 500, "lines arrive")  # type: ignore[misc]
            kill()
        lines = printer.finish()
    say_the_end(container)
    container.stop()

    once = without_repeats(arrived(receiver, container))
    assert once.lines == plain(lines)
    assert once.returns <= kills


@pytest.mark.parametrize("protocol", ["loki", "fluentd"])
def test_delivery_killed_again_and_again(server: Server, engine: Engine, receivers: Receivers, protocol: str) -> None:
    print_through(4, server.kill_delivery, engine, receivers.up(protocol))


def test_the_server_killed_while_its_delivery_lives_on(server: Server, engine: Engine, receivers: Receivers) -> None:
    print_through(3, server.restart, engine, receivers.up("loki"))
    wait_until(lambda: len(server.delivering) == 1, "one process delivers")


def test_another_number_of_processes_right_after_a_kill(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("loki")
    options = {"batch-size": "20k"}
    containers = [run(engine, receiver, options=options) for _ in range(4)]
    lines = numbered(2_000, padding=130)
    for container in containers:
        container.print(b"".join(lines[:1_000]))
        receiver.wait_for(container.name, plain(lines)[999])
    (orphan,) = server.delivering
    os.kill(orphan, signal.SIGSTOP)  # it outlives the server for as long as the test wants
    server.kill()
    server.environment["PEAVEY_DELIVERY_WORKERS"] = "2"
    server.start()
    for container in containers:
        print_to_the_end(container, lines[1_000:])
    for share in ("0/2", "1/2"):
        wait_until(lambda share=share: f"delivery {share}: waiting" in server.log, "it waits for the other to end")  # type: ignore[misc]
    assert not (server.data / "delivery" / "1.json").exists()

    os.kill(orphan, signal.SIGCONT)
    for container in containers:
        once = without_repeats(arrived(receiver, container))
        assert once.lines == plain(lines)
        assert once.returns <= 1
    wait_until(lambda: len(server.delivering) == 2 and orphan not in server.delivering, "two processes deliver")


def test_everything_killed_while_the_destination_is_frozen(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.up("loki")
    container = run(engine, receiver, options={"batch-size": "20k", "loki-timeout": "1s"})
    container.print(b"before\n")
    receiver.wait_for(container.name, b"before")
    receiver.freeze()
    lines = numbered(5_000, padding=130)
    for start in range(0, 5_000, 1_000):
        container.print(b"".join(lines[start : start + 1_000]))
        if not start:
            wait_until(lambda: "; retrying" in server.log, "a batch is on its way")
        server.kill_delivery()
        if start % 2_000:
            server.restart()
    receiver.kill()
    receiver.start()
    say_the_end(container)
    container.stop()

    assert without_repeats(arrived(receiver, container)).lines == [b"before", *plain(lines)]


def test_a_share_has_one_process(server: Server, engine: Engine, receivers: Receivers) -> None:
    run(engine, receivers.down("loki"))
    wait_until((server.data / "delivery" / "0.json").exists, "delivery runs")
    second = [sys.executable, "-m", "plugin", "deliver", "--share", "0/1", "--data", str(server.data)]

    assert str(server.data) in refusal(second)


def test_several_processes_share_the_containers(idle_server: Server, engine: Engine, receivers: Receivers) -> None:
    idle_server.environment["PEAVEY_DELIVERY_WORKERS"] = "2"
    idle_server.start()
    receiver = receivers.up("loki")
    containers = [run(engine, receiver) for _ in range(12)]
    for number, container in enumerate(containers):
        print_to_the_end(container, numbered(100, f"container {number}"))

    for number, container in enumerate(containers):
        assert arrived(receiver, container) == plain(numbered(100, f"container {number}"))
    wait_until(lambda: len(idle_server.delivering) == 2, "both processes deliver")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"loki-ur": "http://127.0.0.1:1"}, "did you mean 'loki-url'?"),
        ({"splunk-url": "http://127.0.0.1:1"}, "'splunk-token'"),
        ({"loki-url": "ftp://127.0.0.1"}, "'loki-url'"),
        ({"sink": "lokki"}, "'loki'"),
        ({"sink": "syslog", "loki-url": "http://127.0.0.1:1"}, "loki"),
    ],
)
def test_refused_options(server: Server, engine: Engine, folder: Path, options: dict[str, str], said: str) -> None:
    before = snapshot(folder / "logging")
    with pytest.raises(PluginError) as refused:
        engine.run(options)

    assert said in str(refused.value)
    assert snapshot(folder / "logging") == before
    assert server.delivering == set()


def test_a_misconfigured_sink_is_told_and_disturbs_no_other(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder, folder: Path
) -> None:
    receiver = receivers.up("loki")
    authority = folder / "ca.pem"
    authority.write_bytes(trustme.CA().cert_pem.bytes())
    container = run(
        engine,
        receiver,
        options={"syslog-address": "tcp+tls://127.0.0.1:1", "syslog-tls-ca-cert": str(authority)},
    )
    other = run(engine, receiver)
    authority.unlink()
    server.restart()
    lines = numbered(1_000)
    for printing in (container, other):
        print_to_the_end(printing, lines)

    assert arrived(receiver, container) == plain(lines)
    assert arrived(receiver, other) == plain(lines)
    wait_until(lambda: str(authority) in server.log, "the log tells of the missing file")
    assert container.id[:12] in server.log
    assert container.output() == b"".join(lines) + END + b"\n"
    assert data.journal(container.id)


def test_a_stopped_container_whose_note_is_damaged_is_told_and_delivered_when_it_starts_again(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.down("loki")
    container = run(engine, receiver)
    before, after = numbered(1_000, "before"), numbered(10, "after")
    container.print(b"".join(before))
    container.stop()
    assert server.terminate() == 0
    note = server.data / "containers" / container.id / "info.json"
    note.write_bytes(b"")
    server.start()
    receiver.start()
    status = [sys.executable, "-m", "plugin", "status", "--socket", str(server.socket), "--json"]
    wait_until(lambda: "start the container again" in run_to_end(status).stdout.decode(), "status says what to do")
    (fault,) = json.loads(run_to_end(status).stdout)["faults_of_stopped"]
    assert fault.startswith(f"{container.id[:12]}: it is not delivered")
    assert str(note) in fault
    assert fault.partition(": ")[2] in server.log
    assert [entry.line for entry in container.logs()] == before

    container.start()
    print_to_the_end(container, after)
    assert arrived(receiver, container) == plain(before + after)
    wait_until(lambda: not json.loads(run_to_end(status).stdout)["faults"], "nothing needs attention")


def test_undelivered_segments_are_held_beyond_the_journals_own_bounds(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    receiver = receivers.down("loki")
    container = run(engine, receiver, options={"max-size": "20k", "max-file": "2", "compress": "false"})
    lines = numbered(3_000, padding=1_000)
    print_to_the_end(container, lines)
    assert len(data.segments(container.id)) > 10
    assert server.alive

    receiver.start()
    assert arrived(receiver, container) == plain(lines)
    wait_until(lambda: len(data.segments(container.id)) <= 2, "what is delivered may go")


def test_the_oldest_is_dropped_beyond_buffer_limit_and_a_record_says_so(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    receiver = receivers.down("loki")
    bounds = {"max-size": "300k", "max-file": "2", "buffer-limit": "1m", "compress": "false"}
    container = run(engine, receiver, options=bounds)
    lines = numbered(4_000, padding=800)
    container.print(b"".join(lines))
    say_the_end(container)
    wait_until(lambda: len(data.segments(container.id)) <= 7, "the oldest segments are dropped")
    container.stop()
    wait_until(lambda: "buffer-limit" in server.log, "the log tells of it")

    receiver.start()
    kept = arrived(receiver, container)
    (gap,) = [line for line in receiver.lines(container.name, "stderr") if b"are missing here" in line]
    assert gap.startswith(b"peavey: ")
    assert 500 < len(kept) < 1_500
    assert kept == plain(lines)[-len(kept) :]


def test_throttle_slows_a_container_that_floods_and_never_stops_it(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.down("loki")
    container = run(engine, receiver, options={"max-size": "50k", "buffer-limit": "200k", "overflow": "throttle"})
    with Printer(container, padding=300) as printer:
        wait_until(lambda: "slowed down" in server.log, "the container is slowed down")
        printer.wait_for(500)
        lines = printer.finish()
    say_the_end(container)
    container.stop()
    assert [entry.line for entry in container.logs()] == [*lines, END + b"\n"]

    receiver.start()
    assert arrived(receiver, container) == plain(lines)


def test_reading_a_stopped_container_ships_nothing(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    receiver = receivers.up("loki")
    container = run(engine, receiver)
    lines = numbered(100)
    print_to_the_end(container, lines)
    arrived(receiver, container)
    journal = data.journal(container.id)
    for _ in range(3):
        assert container.output() == b"".join(lines) + END + b"\n"
    server.restart()
    assert container.output() == b"".join(lines) + END + b"\n"

    other = run(engine, receiver)
    say_the_end(other)
    other.stop()
    assert arrived(receiver, other) == []
    assert receiver.lines(container.name) == [*plain(lines), END]
    assert data.journal(container.id) == journal


def test_reading_a_container_that_never_ran_leaves_no_trace(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    container = engine.create(receivers.down("loki").options)
    assert container.output() == b""
    assert engine.create().output() == b""
    wait_until(lambda: not list((server.data / "containers").iterdir()), "no trace is left")
    assert "WARNING" not in server.log


def test_what_is_undelivered_of_a_stopped_container_is_not_removed(
    idle_server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    receiver = receivers.down("loki")
    idle_server.environment["PEAVEY_KEEP_STOPPED"] = "1s"
    idle_server.start()
    kept, removed = run(engine, receiver), engine.run()
    lines = numbered(100)
    for container in (kept, removed):
        print_to_the_end(container, lines)
    ended = time.time()
    wait_until(lambda: time.time() > ended + 1.1, "their time is over")
    idle_server.restart()
    wait_until(lambda: not data.segments(removed.id), "the one without a sink is removed")
    assert data.segments(kept.id)

    receiver.start()
    assert arrived(receiver, kept) == plain(lines)
    wait_until(lambda: json.loads((idle_server.data / "delivery" / "0.json").read_bytes())["sinks"], "it is told")


@pytest.mark.parametrize("state", ["up", "down", "frozen"])
def test_sigterm_ends_both_processes(server: Server, engine: Engine, receivers: Receivers, state: str) -> None:
    receiver = receivers.up("loki")
    container = run(engine, receiver)
    container.print(b"before\n")
    receiver.wait_for(container.name, b"before")
    if state == "down":
        receiver.kill()
    elif state == "frozen":
        receiver.freeze()
    lines = numbered(1_000)
    container.print(b"".join(lines))
    pids = server.delivering
    assert len(pids) == 1

    assert server.terminate() == 0
    wait_until(lambda: not server.delivering, "delivery has ended")
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "nothing is left of it")

    if state == "down":
        receiver.start()
    elif state == "frozen":
        receiver.thaw()
    server.start()
    say_the_end(container)
    container.stop()
    once = without_repeats(arrived(receiver, container))
    assert once.lines == [b"before", *plain(lines)]
    assert os.path.exists(server.socket)


def test_a_container_that_is_renamed_keeps_its_old_name_for_what_it_printed_before(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.down("http")
    container = run(engine, receiver)
    before, after = numbered(50), numbered(50, "after")
    container.print(b"".join(before))
    container.stop()
    old = container.name
    container.info["ContainerName"] = f"/{old}-renamed"
    container.start()
    container.print(b"".join(after))
    container.stop()

    receiver.start()
    wait_until(lambda: len(receiver.lines(container.name)) >= len(after), "the last lines arrive")
    assert receiver.lines(old) == plain(before)
    assert receiver.lines(container.name) == plain(after)
    assert server.alive


def test_the_first_lines_of_a_renamed_container_have_its_new_name(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.up("http")
    container = run(engine, receiver)
    lines = numbered(20)
    container.print(b"".join(lines))
    wait_until(lambda: len(receiver.lines(container.name)) == len(lines), "all is delivered")
    old = container.name
    for turn in range(5):
        container.stop()
        container.info["ContainerName"] = f"/{old}-{turn}"
        container.start()
        container.print(b"".join(lines))
        wait_until(lambda: len(receiver.lines(container.name)) == len(lines), "all of it has the new name")
    container.stop()
    assert len(receiver.lines(old)) == len(lines)
    assert server.alive
