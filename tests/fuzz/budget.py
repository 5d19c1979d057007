"""How much a fuzz test tries: ``FUZZ_EXAMPLES`` examples, 100 by default; ``make fuzz`` asks for many more."""

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))


def fuzzed(share: float = 1.0, *, shrinks: bool = True) -> settings:
    """Return the settings of a test that tries this share of the examples: less than 1 where each takes long.

    Without FUZZ_EXAMPLES, as in CI, the examples are the same each time: what is new is for `make fuzz` to find.
    ``shrinks``: whether what fails is made as small as possible, which takes hundreds of examples more.
    """
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    phases = [phase for phase in Phase if shrinks or phase not in (Phase.shrink, Phase.explain)]
    examples = max(1, int(EXAMPLES * share))
    return settings(
        max_examples=examples,
        phases=phases,
        deadline=None,
        suppress_health_check=checks,
        derandomize="FUZZ_EXAMPLES" not in os.environ,
    )
