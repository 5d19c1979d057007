from plugin.delivery.backoff import Backoff
from plugin.sinks.base import MisconfiguredError, RetryError


def test_delays_double_up_to_the_longest_with_jitter() -> None:
    backoff = Backoff(1.0, 10.0)
    for bound in (1.0, 2.0, 4.0, 8.0, 10.0, 10.0):
        assert bound / 2 <= backoff.delay() <= bound


def test_a_success_begins_anew() -> None:
    backoff = Backoff(1.0, 10.0)
    for _ in range(5):
        backoff.delay()
    backoff.reset()
    assert backoff.delay() <= 1.0


def test_what_the_destination_asks_for_is_waited_for_within_the_longest() -> None:
    assert Backoff(1.0, 60.0).delay_after(RetryError("503", after=20.0)) == 20.0
    assert Backoff(1.0, 60.0).delay_after(RetryError("503", after=3600.0)) == 60.0
    assert Backoff(1.0, 60.0).delay_after(RetryError("503")) <= 1.0


def test_what_has_to_be_mended_is_tried_slowly() -> None:
    assert Backoff(1.0, 300.0).delay_after(MisconfiguredError("401")) == 30.0
    assert Backoff(1.0, 10.0).delay_after(MisconfiguredError("401")) == 10.0
