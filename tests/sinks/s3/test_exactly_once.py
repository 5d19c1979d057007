"""Each line is in one object, written once, whatever delivery is killed at and whatever the bucket answers."""

import random
from collections import Counter
from pathlib import Path

from tests.sinks.killed_delivery import ANSWERED, FORGETTING, MOVING, NOTED, NOTING
from tests.sinks.s3.killed_uploads import check, faults, kill_once_stored, make_backlog
from tests.sinks.s3.store import Store


def test_delivery_that_is_killed_at_each_step(store: Store, tmp_path: Path) -> None:
    backlog = make_backlog(store, tmp_path, lines=2_000)
    backlog.deliver_until_killed(2, NOTING)  # nothing of the batch is noted
    noted = len(store.objects)
    backlog.deliver_until_killed(1, NOTED)  # it is noted, and nothing of it sent
    assert len(store.objects) == noted
    kill_once_stored(store, backlog, 1)  # the noted batch is half stored
    kill_once_stored(store, backlog, 4)  # another one is
    backlog.deliver_until_killed(1, ANSWERED)  # all of it is stored, no cursor has moved
    backlog.deliver_until_killed(5, MOVING)  # some have
    backlog.deliver_until_killed(2, FORGETTING)  # all have, and the note is there
    backlog.deliver()
    check(store, backlog)
    assert backlog.log.count("records again as they were noted") >= 5


def test_a_bucket_that_fails_at_random(store: Store, tmp_path: Path) -> None:
    backlog = make_backlog(store, tmp_path, lines=2_000)
    store.faults.extend(faults(random.Random(0)))  # noqa: S311 (it makes faults)
    backlog.deliver()
    check(store, backlog)
    failed = Counter(status for *_, status in store.requests if status >= 400)
    assert failed.keys() >= {409, 412, 500, 503}
