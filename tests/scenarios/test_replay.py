"""``peavey replay`` with the real processes: history goes to a sink once more, and to nobody else."""

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.scenarios.test_profiles import END, last_line, say, status, to
from tests.sinks.receiving.process import Receivers
from tests.sinks.receiving.protocols import PROTOCOLS, options_for
from tests.sinks.receiving.receiver import Receiver
from tests.sinks.redis.server import RedisServer, redis_server, streams
from tests.testbed.folders import DataFolder
from tests.testbed.printer import numbered, plain
from tests.testbed.server import REPOSITORY, Server, plugin_environment, run_to_end
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

ROTATING = {"max-size": "256k", "max-file": "20", "compress": "true"}
LINES = 20_000


def command(server: Server, *arguments: str) -> list[str]:
    return [*server.command()[:3], "replay", "--data", str(server.data), *arguments]


def replay(server: Server, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return run_to_end(command(server, *arguments))


def log_opts(options: dict[str, str]) -> list[str]:
    return [part for name, text in options.items() for part in ("--log-opt", f"{name}={text}")]


def printed(engine: Engine, options: dict[str, str], lines: int) -> Container:
    """A container that has printed so many lines, and the end."""
    container = engine.run(options)
    container.print(b"".join(numbered(lines)))
    say(container, END)
    wait_until(lambda: last_line(container) == END, "the journal has it")
    return container


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


def entries(redis: RedisServer, container: Container) -> list[tuple[str, bytes]]:
    return [
        (id_, fields["log"])
        for key, found in streams(redis.client).items()
        if container.id[:12] in key
        for id_, fields in found
    ]


def test_a_compressed_rotated_journal_makes_no_second_copy(
    server: Server, engine: Engine, redis: RedisServer, data: DataFolder
) -> None:
    """Also by a replay that is killed and begun anew, and with a sink of the same options that the command chooses."""
    to_redis = {"redis-url": f"redis://{redis.address}", "batch-wait": "50ms", "batch-size": "50k"}
    container = printed(engine, ROTATING | to_redis, LINES)
    wait_until(lambda: len(entries(redis, container)) == LINES + 1, "all is delivered")
    wait_until(lambda: len(list(data.journal_folder(container.id).glob("*.zst"))) >= 2, "old segments are compressed")
    before = entries(redis, container)

    process = subprocess.Popen(
        command(server, container.id, "--sink", "redis"), cwd=REPOSITORY, env=plugin_environment({})
    )
    cursors = data.journal_folder(container.id) / "cursors"
    wait_until(lambda: list(cursors.glob("replay-*")) or process.poll() is not None, "the replay has begun")
    process.kill()
    process.wait()
    for arguments in (["--sink", "redis"], log_opts(to_redis)):
        done = replay(server, container.id, *arguments)
        assert done.returncode == 0, done.stderr
        assert entries(redis, container) == before
    assert f"{LINES + 1:,} records sent".encode() in done.stdout
    assert sorted(path.name for path in cursors.iterdir()) == ["redis.msgpack"]
    assert not (cursors.parent / "replays").exists()


def test_it_goes_to_another_sink_alone_and_the_container_s_own_is_not_touched(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    first, second = receivers.up("http"), receivers.up("loki")
    container = printed(engine, to(first), 3_000)
    first.wait_for(container.name, END)
    for _ in range(2):  # stopped as well
        before = len(second.received)
        done = replay(server, container.name, *log_opts(to(second)), "--json")
        (outcome,) = map(json.loads, done.stdout.splitlines())
        assert (done.returncode, outcome["state"], outcome["records"], outcome["refused"]) == (0, "done", 3_001, 0)
        assert outcome["done_bytes"] == outcome["total_bytes"] > 0
        lines = [one.line for one in second.received[before:]]
        assert lines == [*plain(numbered(3_000)), END]
        if container.fifo:
            container.stop()
    assert len(first.lines(container.name)) == 3_001
    assert [sink.instance for one in status(server).containers for sink in one.sinks] == ["http"]


def test_only_what_was_printed_in_a_time(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("http")
    container = engine.run({})
    container.print(b"".join(numbered(1_000)))
    say(container, END)
    times = [entry.time_nano for entry in container.logs()]
    since, until = times[200], times[700]
    first = next(number for number, moment in enumerate(times) if moment >= since)
    last = max(number for number, moment in enumerate(times) if moment <= until)
    bounds = [f"{moment // 10**9}.{moment % 10**9:09}" for moment in (since, until)]
    done = replay(server, container.id, *log_opts(to(receiver)), "--since", bounds[0], "--until", bounds[1])
    assert done.returncode == 0, done.stderr
    assert [one.line for one in receiver.received] == plain(numbered(1_000))[first : last + 1]


def test_an_interrupted_one_goes_on_where_it_was(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("http")
    container = printed(engine, ROTATING, LINES)
    arguments = [container.id, *log_opts(to(receiver) | {"batch-size": "20k"})]
    process = subprocess.Popen(
        command(server, *arguments), cwd=REPOSITORY, env=plugin_environment({}), stdout=subprocess.PIPE
    )
    wait_until(lambda: len(receiver.received) > 1_000, "some have arrived")
    receiver.freeze()
    process.send_signal(signal.SIGINT)
    receiver.thaw()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert b"; interrupted at " in said

    say(container, b"printed since")
    container.stop()
    done = replay(server, *arguments)
    assert done.returncode == 0, done.stderr
    assert b": resumed, " in done.stdout
    assert [one.line for one in receiver.received] == [*plain(numbered(LINES)), END]


def test_what_cannot_be_done_is_told(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("http")
    container = printed(engine, to(receiver), 10)
    for arguments, status_code, told in (
        (["--sink", "htp"], 1, b"has no sink 'htp' (did you mean 'http'?) (it has http)"),
        (["--log-opt", "loki-ur=x"], 1, b"no sink is chosen"),
        (["--log-opt", "loki-url=x"], 1, b"log-opt 'loki-url'"),
        (["--log-opt", "profile=none"], 1, b"unknown profile 'none'"),
        (["--sink", "http", "--since", "soon"], 1, b"--since: 'soon' is not a time"),
        (["--sink", "http", "--since", "1m", "--until", "1h"], 1, b"--since is later than --until"),
        ([], 2, b"--sink"),
    ):
        done = replay(server, container.id, *arguments)
        assert done.returncode == status_code, done.stdout + done.stderr
        assert told in done.stderr


def test_lines_that_are_refused_are_counted_and_hold_up_no_others(
    server: Server, engine: Engine, data: DataFolder
) -> None:
    with Receiver(PROTOCOLS["http"]) as receiver:
        receiver.refused = b"bad"
        container = engine.run({})
        container.print(b"one\nbad\ntwo\nbad too\nthree\n")
        wait_until(lambda: last_line(container) == b"three", "the journal has it")
        options = options_for("http", f"127.0.0.1:{receiver.port}")
        done = replay(server, container.id, *log_opts(options), "--json")
        assert done.returncode == 1
        outcome = json.loads(done.stdout)
        assert (outcome["state"], outcome["records"], outcome["refused"]) == ("done", 3, 2)
        assert [one.line for one in receiver.received] == [b"one", b"two", b"three"]
        assert b"refused for good: " in done.stderr
        assert not (data.journal_folder(container.id) / "dead").exists()


def test_a_destination_that_refuses_the_settings_ends_it_and_the_same_command_goes_on(
    server: Server, engine: Engine
) -> None:
    with Receiver(PROTOCOLS["http"]) as receiver:
        receiver.answers.append(401)
        container = printed(engine, {}, 10)
        arguments = [container.id, *log_opts(options_for("http", f"127.0.0.1:{receiver.port}"))]
        done = replay(server, *arguments)
        assert done.returncode == 1
        assert b"; failed at 0 B of " in done.stdout
        assert b"401" in done.stdout
        receiver.answers.clear()
        done = replay(server, *arguments)
        assert (done.returncode, done.stdout.count(b": resumed, 11 records sent")) == (0, 1), done.stdout
        assert [one.line for one in receiver.received] == [*plain(numbered(10)), END]
