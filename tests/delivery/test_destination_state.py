import time

from plugin.delivery.destination_state import DestinationState
from plugin.delivery.histogram import BOUNDS
from plugin.sinks.base import MisconfiguredError, RetryError


def test_a_failure_is_news_once_until_its_text_changes_or_it_is_over() -> None:
    state = DestinationState()
    assert [state.note_failure(RetryError(text)) for text in ("down", "down", "503", "503")] == [True, False] * 2
    assert state.note_answer()
    assert state.note_failure(RetryError("503"))
    assert state.retries == 5


def test_it_is_failing_from_the_first_failure_to_the_first_answer() -> None:
    state = DestinationState()
    assert not state.note_answer()
    state.note_failure(RetryError("down"))
    since = state.failing_since
    state.note_failure(MisconfiguredError("401"))
    assert (state.failing_since, state.misconfigured, state.last_error) == (since, True, "401")
    assert state.note_answer()
    assert (state.failing_since, state.misconfigured) == (0, False)


def test_batches_are_counted() -> None:
    state = DestinationState()
    state.note_success(10, 700)
    state.note_success(5, 300)
    assert (state.batches, state.records, state.bytes) == (2, 15, 1_000)
    assert state.last_success


def test_what_is_refused_is_counted_with_its_time() -> None:
    state = DestinationState()
    state.note_refusal()
    state.note_refusal(3)
    assert state.dead == 4
    assert state.last_refusal > 0


def test_a_delay_is_from_the_oldest_line_until_now() -> None:
    state = DestinationState()
    state.note_delay(time.time_ns() - 7_000_000_000)
    assert state.delays.counts[BOUNDS.index(10.0)] == 1
    assert state.delays.sum_seconds >= 7.0
