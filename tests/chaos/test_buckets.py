"""A bucket that fails, and delivery that is killed, at random: each line is in one object, which was written once."""

import random
from pathlib import Path

import pytest

from tests.sinks.killed_delivery import ANSWERED, FORGETTING, MOVING, NOTED, NOTING
from tests.sinks.s3.killed_uploads import check, faults, kill_once_stored, make_backlog
from tests.sinks.s3.store import Store

STEPS = (NOTING, NOTED, ANSWERED, MOVING, FORGETTING)


@pytest.mark.chaos
def test_a_bucket_that_fails_at_random_while_delivery_is_killed_at_random(
    tmp_path: Path, seed: int, is_long: bool
) -> None:
    rng = random.Random(seed)  # noqa: S311 (it makes faults)
    kills = 100 if is_long else 3
    with Store() as store:
        backlog = make_backlog(store, tmp_path, lines=600 * kills)
        for _ in range(kills):
            store.faults.extend(faults(rng))
            if rng.random() < 0.5:
                kill_once_stored(store, backlog, rng.randint(1, 9))
            else:
                backlog.deliver_until_killed(rng.randint(1, 5), rng.choice(STEPS))
        backlog.deliver()
        check(store, backlog)
