"""Delivery is killed at every step between sending and the cursor's move, whatever that does to what it has sent.

In the middle of a request, before its answer, behind the answer, in front of the first cursor's move, and when one
cursor has moved, but not the next. Who can store each line once does; the others repeat what was under way.
"""

from pathlib import Path

import pytest

from tests.sinks.conformance import Entry, Network
from tests.sinks.killed_delivery import ANSWERED, MOVING, Backlog, lines_by_container
from tests.sinks.receiving.received import without_repeats
from tests.sinks.test_conformance import ENTRIES
from tests.testbed.waiting import wait_until

CONTAINERS, LINES = 3, 1_000
BATCH = {"batch-size": "20k", "batch-wait": "10ms", "retry-min": "10ms", "retry-max": "50ms"}
MOST_IN_BATCH = (20 + 4) * 1024 // 36 + 1  # a turn more than batch-size
IN_MID_BATCH = 2_500  # bytes
KILLS = 5
CHOSEN = ("elasticsearch", "kafka", "kafka batched", "nats", "otlp", "redis")


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.name in CHOSEN], ids=str)
def test_delivery_is_killed_at_every_step(entry: Entry, tmp_path: Path) -> None:
    with entry.place(tmp_path) as place, Network(place) as network:
        options = {**entry.options(network.at), **BATCH, entry.patience: "30s"}
        backlog = Backlog(tmp_path, entry.name.partition(" ")[0], options, containers=CONTAINERS, lines=LINES)
        for answer in (False, True):
            network.cut(IN_MID_BATCH, answer=answer, reset=False)
            backlog.deliver_until(lambda: network.is_cut, "the network is cut")
            network.mend()
        backlog.deliver_until_killed(1, ANSWERED)
        backlog.deliver_until_killed(1, MOVING)
        backlog.deliver_until_killed(2, MOVING)
        backlog.deliver()

        wanted = {(name, line) for name in backlog.names for line in backlog.lines}
        wait_until(lambda: wanted <= {(r.container, r.line) for r in place.received}, "all lines arrive")
        found = lines_by_container([(r.container, r.line) for r in place.received])
        if not entry.exactly_once:
            once = {name: without_repeats(lines) for name, lines in found.items()}
            repeated = sum(map(len, found.values())) - len(wanted)
            assert 0 < repeated <= KILLS * MOST_IN_BATCH
            assert all(each.returns <= KILLS for each in once.values())
            found = {name: each.lines for name, each in once.items()}
        assert found == dict.fromkeys(backlog.names, backlog.lines)
