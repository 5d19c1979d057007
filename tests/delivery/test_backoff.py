from plugin.delivery.backoff import Backoff


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
