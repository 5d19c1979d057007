"""Lines as strings of JSON, many at once.

Written one by one, each would come in memory of its own, about a page: the kernel clearing those pages takes several
times longer than writing.
"""

from collections.abc import Sequence

import orjson

from plugin.sinks.text import text


def strings(lines: Sequence[bytes]) -> list[bytes]:
    """Write lines as the insides of JSON strings, what is between their quotes; what is not UTF-8 becomes U+FFFD."""
    if not lines:
        return []
    try:
        texts = [line.decode() for line in lines]
    except UnicodeDecodeError:
        texts = [text(line) for line in lines]
    # A line feed within a string is escaped: one that stands there as it is can only be between two strings.
    return orjson.dumps(texts, option=orjson.OPT_INDENT_2)[len(b'[\n  "') : -len(b'"\n]')].split(b'",\n  "')
