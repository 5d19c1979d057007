"""Lines that are joined, parsed, dropped, redacted and limited: each is accounted for, whatever happens."""

from pathlib import Path

from plugin.status.client import ask_status, read_status
from plugin.status.prometheus import Metrics
from tests.sinks.receiving.process import Receivers
from tests.testbed.disks import fill
from tests.testbed.folders import DataFolder
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import decode_all
from tests.transforms.orders import CHAIN, EXCLUDED, LIMITED, account_of, expected_of, orders

ORDERS = 600
MANY = 1_500  # more than what a reader has open may keep


def test_a_destination_that_freezes_gets_what_the_chain_makes_of_the_journal(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder
) -> None:
    receiver = receivers.up("http")
    container = engine.run(receiver.options | CHAIN | {"batch-size": "20k"})
    container.print(b"".join(orders(0, 200)))
    wait_until(lambda: receiver.lines(container.name), "the first orders arrive")
    receiver.freeze()
    container.print(b"".join(orders(200, ORDERS - 200)))
    receiver.thaw()
    wait_until(lambda: metrics_of(server, container).get(EXCLUDED) == ORDERS, "all but the last order is done with")
    assert metrics_of(server, container) == account_of(server, receiver, container).filtered
    container.stop()

    expected = expected_of(decode_all(data.journal(container.id)))
    wait_until(lambda: len(receiver.lines(container.name)) >= len(expected), "all that is left arrives")
    assert receiver.lines(container.name) == expected
    wait_until(lambda: account_of(server, receiver, container).balances(4 * ORDERS), "all is accounted for")
    account = account_of(server, receiver, container)
    assert account.filtered[EXCLUDED] == ORDERS
    assert account.filtered[LIMITED] == ORDERS - len(account.orders) > 0
    assert (account.gaps, account.fragments) == (0, [])


def metrics_of(server: Server, container: Container) -> dict[tuple[str, str], int]:
    """Read what the metrics say was dropped on purpose."""
    status = read_status(ask_status(server.socket))
    lines = Metrics(lambda: status).render("")[0].decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("peavey_sink_filtered_records_total{") and container.id in line:
            labels = dict(pair.split("=") for pair in line.partition("{")[2].partition("}")[0].split(","))
            found[labels["stage"].strip('"'), labels["reason"].strip('"')] = int(float(line.rpartition(" ")[2]))
    return found


def test_lines_that_a_bound_takes_are_not_counted_as_dropped_on_purpose(
    server: Server, engine: Engine, receivers: Receivers
) -> None:
    receiver = receivers.up("http")
    bounds = {"max-size": "50k", "max-file": "1000", "compress": "false", "buffer-limit": "200k"}
    container = engine.run(receiver.options | CHAIN | bounds | {"batch-size": "20k"})
    container.print(b"".join(orders(0, 200)))
    wait_until(lambda: receiver.lines(container.name), "the first orders arrive")
    receiver.freeze()
    container.print(b"".join(orders(200, MANY - 200)))
    wait_until(lambda: "buffer-limit reached" in server.log, "the log tells of lines that had to go")
    receiver.thaw()
    container.stop()

    wait_until(lambda: account_of(server, receiver, container).balances(4 * MANY), "all is accounted for")
    account = account_of(server, receiver, container)
    assert account.lines_missing > 0
    assert 0 < account.filtered[EXCLUDED] < MANY
    assert account.orders == sorted(set(account.orders)), "in order, each once"
    assert account.fragments == list(dict.fromkeys(account.fragments))


def test_lines_that_a_full_disk_takes_are_not_counted_as_dropped_on_purpose(
    small_disk: Path, idle_server: Server, engine: Engine, receivers: Receivers
) -> None:
    idle_server.environment["PEAVEY_DISK_FREE"] = "0"
    idle_server.start()
    receiver = receivers.up("http")
    container = engine.run(receiver.options | CHAIN)
    container.print(b"".join(orders(0, 200)))
    wait_until(lambda: receiver.lines(container.name), "the first orders arrive")

    filler = fill(small_disk)
    container.print(b"".join(orders(200, ORDERS - 200)))
    wait_until(lambda: "lines are dropped" in idle_server.log, "lines are dropped")
    filler.unlink()
    container.stop()

    wait_until(lambda: account_of(idle_server, receiver, container).balances(4 * ORDERS), "all is accounted for")
    account = account_of(idle_server, receiver, container)
    assert account.lines_missing > 0
    assert account.orders == sorted(set(account.orders)), "in order, each once"
