"""Memory is bounded whatever is asked of the plugin: under limits that the kernel enforces nothing fails or is lost."""

import resource
from pathlib import Path
from typing import Any

import pytest

from tests.sinks.receiving.process import Receivers
from tests.testbed.cgroups import memory_group, memory_groups_exist
from tests.testbed.lifetimes import dying_engine, tidy_server
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server
from tests.testbed.standin import Engine, ReadConfig
from tests.testbed.waiting import wait_until

MEBIBYTE = 1 << 20
SERVE = 512 * MEBIBYTE
"""Address space for `serve`, as in docs/security.md: most of it is stacks and libraries that are mapped, not used."""

DELIVER = 512 * MEBIBYTE
TOGETHER = 384 * MEBIBYTE
"""Memory for both, as in docs/security.md; the kernel counts what it keeps of their files, and gives that up."""

LINES = numbered(1_500, padding=1_000)
LONG = b"x" * 200_000
FORMS = ["address space"] + ["control group"] * memory_groups_exist()


def limit(pid: int, size: int) -> None:
    """Let the kernel refuse a process more than ``size`` bytes of address space, as `ulimit -v` does."""
    resource.prlimit(pid, resource.RLIMIT_AS, (size, size))


class GroupedServer(Server):
    """A server in a control group, with its delivery."""

    def __init__(self, folder: Path, group: "list[str]") -> None:
        super().__init__(folder)
        self._group = group

    def command(self) -> list[str]:
        return [*self._group, *super().command()]


@pytest.mark.parametrize("form", FORMS)
def test_little_memory_is_enough_for_whatever_is_asked(folder: Path, receivers: Receivers, form: str) -> None:
    run(folder, receivers, form, 20)


@pytest.mark.chaos
@pytest.mark.parametrize("form", FORMS)
def test_little_memory_is_enough_for_many(folder: Path, receivers: Receivers, form: str, is_long: bool) -> None:
    run(folder, receivers, form, 150 if is_long else 2)


def run(folder: Path, receivers: Receivers, form: str, others: int) -> None:
    """Limit a server in one of the forms, and ask all that can be asked of it."""
    if form == "address space":
        with tidy_server(Server(folder)) as server:
            server.start()
            with dying_engine(folder) as engine:
                ask(server, engine, receivers, others, limited_later=True)
        return
    with memory_group(TOGETHER) as group, tidy_server(GroupedServer(folder, group.command([]))) as server:
        server.start()
        with dying_engine(folder) as engine:
            ask(server, engine, receivers, others, limited_later=False)
        assert not group.kills


def ask(server: Server, engine: Engine, receivers: Receivers, others: int, *, limited_later: bool) -> None:
    """Have containers print, readers hang and a destination freeze; nothing fails, and nothing is lost."""
    frozen, up = receivers.up("loki"), receivers.up("http")
    frozen.freeze()
    first = engine.run(frozen.options | up.options)
    wait_until(lambda: bool(server.delivering), "delivery has begun")
    if limited_later:
        limit(server.pid, SERVE)
        for pid in server.delivering:
            limit(pid, DELIVER)

    containers = [first, *(engine.run(up.options) for _ in range(others))]
    stuck: list[Any] = []
    for container in containers:
        container.print(b"".join(LINES) + LONG + b"\n")
        stuck += [engine.read_logs(container.info, ReadConfig()) for _ in range(6)] if len(stuck) < 210 else []
        stuck += [container.follow() for _ in range(4)] if len(stuck) < 210 else []
    expected = [*plain(LINES), LONG]
    for container in containers:
        container.stop()
        assert up.wait_for(container.name, LONG) == expected
    assert [entry.line.rstrip(b"\n") for entry in first.logs()] == expected
    for reader in stuck:
        reader.close()

    frozen.thaw()
    assert frozen.wait_for(first.name, LONG) == expected
    assert server.alive
    assert "MemoryError" not in server.log
    assert "Cannot allocate" not in server.log
