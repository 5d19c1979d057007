"""Clusters whose nodes are killed again and again under load: every line is there once, in order."""

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sinks.amqp.server import rabbitmq, rabbitmq_cluster
from tests.sinks.killed_delivery import Backlog, lines_by_container
from tests.sinks.nats.server import lines_of, nats_cluster
from tests.sinks.receiving.received import without_repeats
from tests.sinks.redis.server import received_of, redis_cluster
from tests.testbed.waiting import wait_until

SHORT, LONG = 50_000, 1_000_000  # lines
CONTAINERS = 5
LONGEST_ABSENCE = 0.5  # seconds
OPTIONS = {"batch-size": "20k", "batch-wait": "10ms", "retry-min": "10ms", "retry-max": "200ms"}


@pytest.mark.chaos
def test_masters_of_redis_are_killed(tmp_path: Path, seed: int, is_long: bool) -> None:
    chance = random.Random(seed)  # noqa: S311  (no secret)
    with redis_cluster(tmp_path) as cluster:
        backlog = _backlog(tmp_path, "redis", {"redis-url": cluster.url, "redis-max-length": "0"}, is_long)
        kills = 0

        def kill_one() -> None:
            nonlocal kills
            node = chance.choice(cluster.nodes)
            # A master takes no writes for two seconds after its start.
            _peace_and(chance, 4.0, node.stop, node.start)
            kills += 1

        backlog.deliver(kill_one)
        print(f"{kills} masters were killed")
        found = [received_of(fields) for stream in cluster.streams().values() for _, fields in stream]
        assert kills
        assert lines_by_container([(r.container, r.line) for r in found]) == dict.fromkeys(backlog.names, backlog.lines)


@pytest.mark.chaos
def test_leaders_of_nats_are_killed(tmp_path: Path, seed: int, is_long: bool) -> None:
    chance = random.Random(seed)  # noqa: S311  (no secret)
    with nats_cluster(tmp_path) as cluster:
        options = {"nats-url": cluster.url, "nats-timeout": "2s", "nats-lines-per-message": "20"}
        backlog = _backlog(tmp_path, "nats", options, is_long)
        kills = 0

        def kill_leader() -> None:
            nonlocal kills
            leader = cluster.leader()
            if leader >= 0:
                _peace_and(chance, 0.5, cluster.nodes[leader].stop, cluster.nodes[leader].start)
                kills += 1

        backlog.deliver(kill_leader)
        print(f"{kills} leaders were killed")
        found = lines_of(cluster.published())
        assert kills
        assert lines_by_container([(r.container, r.line) for r in found]) == dict.fromkeys(backlog.names, backlog.lines)


@pytest.mark.chaos
def test_leaders_of_rabbitmq_are_killed(tmp_path: Path, seed: int, is_long: bool) -> None:
    """Every day it is only the way to one node that is cut: three nodes take a minute to start."""
    chance = random.Random(seed)  # noqa: S311  (no secret)
    with contextlib.ExitStack() as stack:
        options = {"amqp-lines-per-message": "20", "amqp-timeout": "5s"}
        if is_long:
            cluster = stack.enter_context(rabbitmq_cluster(tmp_path / "cluster"))
            backlog = _backlog(tmp_path, "amqp", {**options, "amqp-url": cluster.url}, is_long)
        else:
            queue = stack.enter_context(rabbitmq())
            options |= {"amqp-url": f"amqp://{queue.address}", "amqp-routing-key": queue.name}
            backlog = _backlog(tmp_path, "amqp", options, is_long)
        kills = 0

        def kill_leader() -> None:
            nonlocal kills
            if not is_long:
                _peace_and(chance, 0.5, queue.stop, queue.start)
                kills += 1
            elif leader := cluster.leader():
                _peace_and(chance, 0.5, leader.stop, leader.start)
                kills += 1

        backlog.deliver(kill_leader)
        print(f"{kills} leaders were killed")
        wanted = len(backlog.names) * len(backlog.lines)
        if not is_long:
            wait_until(lambda: len({(r.container, r.line) for r in queue.received}) == wanted, "all lines arrive")
        found = cluster.received() if is_long else queue.received
        assert kills
        by_container = lines_by_container([(r.container, r.line) for r in found])
        arrived = {name: without_repeats(lines).lines for name, lines in by_container.items()}
        assert arrived == dict.fromkeys(backlog.names, backlog.lines)


def _backlog(folder: Path, sink: str, options: dict[str, str], is_long: bool) -> Backlog:
    lines = (LONG if is_long else SHORT) // CONTAINERS
    return Backlog(folder, sink, OPTIONS | options, containers=CONTAINERS, lines=lines)


def _peace_and(chance: random.Random, longest: float, kill: Callable[[], None], start: Callable[[], None]) -> None:
    """Kill a server after at most so many seconds, and start it again."""
    time.sleep(chance.random() * longest)
    kill()
    time.sleep(chance.random() * LONGEST_ABSENCE)
    start()
