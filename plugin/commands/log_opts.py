"""Log-opts on the command line."""

from collections.abc import Sequence

from plugin.config.parsing import quote
from plugin.errors import PeaveyError


def given_log_opts(texts: Sequence[str]) -> dict[str, str]:
    """Read what ``--log-opt NAME=VALUE`` was given. Raises ``PeaveyError`` for one without a value."""
    given = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise PeaveyError(f"--log-opt {quote(text)} has no value (expected: NAME=VALUE)")
        given[name] = value
    return given
