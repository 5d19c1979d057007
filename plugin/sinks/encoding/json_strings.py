"""Lines as strings of JSON, many at once.

Written one by one, each would cost as much as three do here.
"""

from collections.abc import Sequence

import orjson

from plugin.sinks.encoding.text import text

# DEL stands in a string of JSON as it is, and no sequence of UTF-8 contains it.
_SEPARATOR = b"\x7f"


def strings(lines: Sequence[bytes]) -> list[bytes]:
    """Write lines as the insides of JSON strings, what is between their quotes; what is not UTF-8 becomes U+FFFD."""
    if not lines:
        return []
    written = orjson.dumps(text(_SEPARATOR.join(lines)))[1:-1].split(_SEPARATOR)
    if len(written) == len(lines):
        return written
    # One of the lines holds the separator itself.
    return [orjson.dumps(text(line))[1:-1] for line in lines]
