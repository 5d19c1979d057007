"""Waiting for what another process does."""

import time
from collections.abc import Callable

_SAFETY_NET = 120.0  # seconds; a machine may be very busy
_STEP = 0.02  # seconds


def wait_until(condition: Callable[[], object], expected: str, within: float = _SAFETY_NET) -> None:
    """Wait until a condition holds; raises ``AssertionError`` that names what was expected if it does not in time."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {within:.0f} s: {expected}")
        time.sleep(_STEP)
