"""Calls: done in their order, by the thread that runs them; none is left without an answer."""

import select

import pytest

from plugin.errors import StoppedError
from plugin.intake.calls import Calls


def readable(calls: Calls) -> bool:
    poll = select.poll()
    poll.register(calls.descriptor, select.POLLIN)
    return bool(poll.poll(0))


def test_they_are_done_in_their_order_when_they_are_run() -> None:
    calls = Calls()
    done: list[int] = []
    futures = [calls.add(done.append, number) for number in (1, 2)]
    assert readable(calls)
    assert done == []
    calls.run()
    assert done == [1, 2]
    assert all(future.done() for future in futures)
    assert not readable(calls)


def test_what_one_raises_is_its_callers() -> None:
    calls = Calls()
    failed, done = calls.add(int, "x"), calls.add(int, "7")
    calls.run()
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result()
    assert done.result() == 7


def test_those_that_come_too_late_are_refused() -> None:
    calls = Calls()
    waiting = calls.add(int)
    calls.end()
    for future in (waiting, calls.add(int)):
        with pytest.raises(StoppedError):
            future.result(0)
