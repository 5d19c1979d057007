"""CallQueue: done in their order, by the thread that runs them; none is left without an answer."""

import os
import resource
import select
import threading
from contextlib import ExitStack

import pytest

from plugin.errors import StoppedError
from plugin.intake.call_queue import CallQueue


def readable(calls: CallQueue) -> bool:
    poll = select.poll()
    poll.register(calls.descriptor, select.POLLIN)
    return bool(poll.poll(0))


def test_they_are_done_in_their_order_when_they_are_run() -> None:
    calls = CallQueue()
    done: list[int] = []
    futures = [calls.add(done.append, number) for number in (1, 2)]
    assert readable(calls)
    assert done == []
    calls.run()
    assert done == [1, 2]
    assert all(future.done() for future in futures)
    assert not readable(calls)


def test_what_one_raises_is_its_callers() -> None:
    calls = CallQueue()
    failed, done = calls.add(int, "x"), calls.add(int, "7")
    calls.run()
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result()
    assert done.result() == 7


def test_those_that_come_too_late_are_refused() -> None:
    calls = CallQueue()
    waiting = calls.add(int)
    calls.end()
    for future in (waiting, calls.add(int)):
        with pytest.raises(StoppedError):
            future.result(0)


def test_a_call_ends_the_wait_for_one() -> None:
    calls = CallQueue()
    calls.wait(0.0015)
    threading.Timer(0.05, calls.add, [int]).start()
    calls.wait(120)
    assert readable(calls)
    calls.wait(120)


def test_it_can_be_waited_for_with_many_files_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1024):  # what select(2) has room for
            stack.callback(os.close, os.eventfd(0))
        calls = CallQueue()
        calls.wait(0.0015)
        calls.add(int)
        calls.wait(120)
        assert calls.descriptor >= 1024
        os.close(calls.descriptor)
