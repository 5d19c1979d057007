"""Delivery, the plugin and destinations die or freeze while records are shaped: all that the chain makes arrives."""

import random
import time

import pytest

from tests.chaos.test_delivery import faults
from tests.sinks.receiving.process import Receivers
from tests.sinks.receiving.received import without_repeats
from tests.testbed.folders import DataFolder
from tests.testbed.server import Server
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until
from tests.testbed.wire import decode_all
from tests.transforms.orders import CHAIN, expected_of, notices, orders, without_notices

SHORT, LONG = 3, 60  # faults
OPTIONS = {"max-size": "200k", "max-file": "100000", "batch-size": "20k", "http-timeout": "5s"}
BURST = 500  # orders before each fault
LONGEST_PEACE = 0.3  # seconds between them and it
LONGEST_ABSENCE = 1.0  # seconds of the destination


@pytest.mark.chaos
def test_what_the_chain_makes_arrives_in_order(
    server: Server, engine: Engine, receivers: Receivers, data: DataFolder, seed: int, is_long: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311  (no secret)
    receiver = receivers.up("http")
    container = engine.run(receiver.options | OPTIONS | CHAIN)
    count = LONG if is_long else SHORT
    for number in range(count):
        container.print(b"".join(orders(number * BURST, BURST)))
        time.sleep(chance.random() * LONGEST_PEACE)
        chance.choice(faults(server, receiver, chance.random() * LONGEST_ABSENCE))()
    container.stop()

    entries = decode_all(data.journal(container.id))
    assert len(entries) == 4 * BURST * count
    made = expected_of(entries)
    expected = without_notices(made)

    def all_arrived() -> bool:
        arrived = receiver.lines(container.name)
        return set(arrived) >= set(made)

    wait_until(all_arrived, "all that the chain makes arrives")
    arrived = receiver.lines(container.name)
    assert notices(made)
    assert notices(arrived) == notices(made)
    once = without_repeats(without_notices(arrived))
    assert once.lines == expected
    assert once.returns <= 2 * count, "what was in flight is sent again, and nothing else"
