"""Yielding: pauses are for those who print while processors are short, and never make delivery late for long."""

import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugin.delivery import cpu_yield
from plugin.delivery.cpu_yield import Times, Yielding, thread_times

MILLISECOND = 1_000_000
SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands still: how old records are does not depend on how long a test takes."""
    monkeypatch.setattr(cpu_yield, "time", SimpleNamespace(time_ns=lambda: NOW, monotonic_ns=time.monotonic_ns))


def steadily(run: int, waited: int, every: int = 100) -> Yielding:
    """Deliver in a thread that runs and waits for so many milliseconds from one look at its times to the next."""
    looks = count()

    def times() -> Times:
        number = next(looks)
        return Times(*(number * of_one * MILLISECOND for of_one in (every, run, waited)))

    return Yielding(times)


def test_there_is_no_pause_while_there_are_processors() -> None:
    assert steadily(run=8, waited=0).pause(NOW) == 0
    assert steadily(run=8, waited=8).pause(NOW) == 0


def test_nor_where_the_kernel_does_not_tell() -> None:
    assert steadily(run=0, waited=0).pause(NOW) == 0


def test_while_they_are_short_a_fifth_of_the_time_is_work() -> None:
    delivery = steadily(run=8, waited=12)
    assert [delivery.pause(NOW) for _ in range(3)] == pytest.approx([0.08] * 3)


def test_a_pause_is_never_long() -> None:
    assert steadily(run=8, waited=3000).pause(NOW) == 1


def test_delivery_that_has_fallen_behind_goes_on_at_once() -> None:
    delivery = steadily(run=8, waited=12)
    assert delivery.pause(NOW - 1 * SECOND) > 0
    assert delivery.pause(NOW - 60 * SECOND) == 0
    assert delivery.pause(1) == 0


def test_times_from_before_a_silence_say_nothing_of_now() -> None:
    assert steadily(run=8, waited=12, every=10_000).pause(NOW) == 0


def test_records_from_before_the_clock_was_set_back_are_not_held_up_until_it_gets_there() -> None:
    assert steadily(run=8, waited=12).pause(NOW + 3600 * SECOND) == 0


def test_times_are_the_kernels() -> None:
    before = thread_times()
    while thread_times().run == before.run:
        pass
    assert thread_times().waited >= before.waited


@pytest.mark.parametrize("content", [None, "", "0 0", "one two three"])
def test_a_kernel_that_does_not_tell_them_gives_zeros(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "schedstat"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(cpu_yield, "_SCHEDSTAT", file)
    assert thread_times()[1:] == (0, 0)
