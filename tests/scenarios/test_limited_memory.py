"""Memory is bounded whatever is asked of the plugin: under limits that the kernel enforces nothing fails or is lost."""

import resource

from tests.sinks.receiving.process import Receivers
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server
from tests.testbed.standin import Engine, ReadConfig
from tests.testbed.waiting import wait_until

MEBIBYTE = 1 << 20
SERVE = 512 * MEBIBYTE
"""Address space for `serve`, as in docs/security.md: most of it is stacks and libraries that are mapped, not used."""

DELIVER = 512 * MEBIBYTE
LINES = numbered(1_500, padding=1_000)
LONG = b"x" * 200_000


def limit(pid: int, size: int) -> None:
    """Let the kernel refuse a process more than ``size`` bytes of address space, as `ulimit -v` does."""
    resource.prlimit(pid, resource.RLIMIT_AS, (size, size))


def test_a_limited_address_space_is_enough_for_whatever_is_asked(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    frozen, up = receivers.up("loki"), receivers.up("http")
    frozen.freeze()
    first = engine.run(frozen.options | up.options)
    wait_until(lambda: bool(server.delivering), "delivery has begun")
    limit(server.pid, SERVE)
    for pid in server.delivering:
        limit(pid, DELIVER)

    others = [engine.run(up.options) for _ in range(20)]
    stuck = []
    for container in (first, *others):
        container.print(b"".join(LINES) + LONG + b"\n")
        stuck += [engine.read_logs(container.info, ReadConfig()) for _ in range(6)]
        stuck += [container.follow() for _ in range(4)]
    expected = [*plain(LINES), LONG]
    for container in (first, *others):
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
