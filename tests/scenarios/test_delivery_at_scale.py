"""Delivery by the real processes of many containers, of one that floods, and to destinations of which one hangs."""

import msgspec
import pytest

from plugin.status.client import ask_status
from plugin.status.model import Status
from tests.sinks.receiving.process import ReceiverProcess, Receivers
from tests.testbed.printer import numbered, plain
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until

CONTAINERS = 500
BATCH = 200_000
END = b"the end"


def print_all(container: Container, lines: list[bytes]) -> None:
    container.print(b"".join(lines) + END + b"\n")
    container.stop()


def test_five_hundred_containers_on_one_destination_make_requests_by_batch(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.up("loki")
    options = receiver.options | {"batch-wait": "1s"}
    containers = [engine.run(options) for _ in range(CONTAINERS)]
    for number, container in enumerate(containers):
        container.print(b"".join(numbered(5, f"container {number}")))
    for container in containers:
        container.print(END + b"\n")
    wait_until(lambda: len(receiver.received) >= 6 * CONTAINERS, "all lines arrive")

    by_name: dict[str, list[bytes]] = {}
    for record in receiver.received:
        by_name.setdefault(record.container, []).append(record.line)
    for number, container in enumerate(containers):
        assert by_name[container.name] == [*plain(numbered(5, f"container {number}")), END]
    wait_until(lambda: told(server, receiver)["records"] == 6 * CONTAINERS, "all is acknowledged")
    assert told(server, receiver)["containers"] == CONTAINERS
    assert told(server, receiver)["batches"] < CONTAINERS / 10


@pytest.mark.parametrize("hanging", ["frozen", "frozen in TLS"])
def test_a_destination_that_hangs_does_not_delay_another(
    server: Server, engine: Engine, receivers: Receivers, hanging: str
) -> None:
    """Neither another one of the same container, nor that of another container."""
    frozen, up = receivers.up("loki"), receivers.up("http")
    frozen.freeze()
    options = dict(frozen.options)
    if hanging == "frozen in TLS":
        options["loki-url"] = options["loki-url"].replace("http:", "https:")
    both, other = engine.run(options | up.options), engine.run(up.options)
    lines = numbered(20_000)
    for container in (both, other):
        print_all(container, lines)

    for container in (both, other):
        assert up.wait_for(container.name, END) == [*plain(lines), END]
    wait_until(lambda: told(server, up)["records"] == 2 * (len(lines) + 1), "all is acknowledged")
    assert told(server, frozen)["records"] == 0


def test_a_container_that_floods_does_not_starve_another(server: Server, engine: Engine, receivers: Receivers) -> None:
    receiver = receivers.up("loki")
    receiver.freeze()
    options = receiver.options | {"batch-size": f"{BATCH}b", "loki-timeout": "1s"}
    flooding, quiet = engine.run(options), engine.run(options)
    lines = numbered(20_000, padding=130)
    print_all(flooding, lines)
    wait_until(lambda: told(server, receiver)["retries"] > 0, "a batch of the flood is on its way")
    quiet.print(b"at last\n")
    wait_until(lambda: told(server, receiver)["containers"] == 2, "it is known that there is another")

    receiver.thaw()
    receiver.wait_for(quiet.name, b"at last")
    place = next(place for place, record in enumerate(receiver.received) if record.line == b"at last")
    before = {record.line for record in receiver.received[:place]}
    assert sum(map(len, before)) < 4 * BATCH < sum(map(len, lines)) / 3
    receiver.wait_for(flooding.name, END)


def told(server: Server, receiver: ReceiverProcess) -> dict[str, int]:
    """What status tells of the destination that a receiver is, which may take a second to be right."""
    status = msgspec.json.decode(ask_status(server.socket), type=Status)
    counts = ("containers", "batches", "records", "retries")
    found = [one for one in status.destinations if one.type == receiver.protocol]
    return {count: sum(getattr(one, count) for one in found) for count in counts}
