"""Odd things to feed to parsers: texts, JSON, numbers, and bytes that were sound before they were changed."""

import json
from typing import Any

from hypothesis import strategies as st

NUMBERS = (
    st.sampled_from([0, -1, 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30]) | st.integers()
)
WORDS = st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\n",
        "\r\n",
        "\t",
        "\x1b[31m",
        "\ufeff",
        "\u2028",
        "ﬀ",
        "İ",
        "☃",
        "9" * 25,
        "-",
        "+9999",
        "1e999",
        "nan",
        "٣",
        "²",
        "..",
        "/",
        "//",
        "%",
        "%00",
        "%zz",
        "[",
        "]",
        "[..]",
        "@",
        ":",
        "::1",
        "a" * 300,
        "'",
        '"',
        "{{",
        "\\",
        "*",
    ]
)
TEXTS = WORDS | st.text(max_size=40) | st.lists(WORDS | st.text(max_size=5), max_size=4).map("".join)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
NESTS = st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"\x91" * 100_000, b"(" * 100_000])

_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "replace", "repeat"]), st.integers(0, 1 << 20), st.binary(max_size=8)
    ),
    min_size=1,
    max_size=6,
)


def changed(content: bytes) -> st.SearchStrategy[bytes]:
    """Return what bytes become when a few of them are flipped, cut off, added, overwritten or repeated."""
    return _EDITS.map(lambda edits: _edit(content, edits))


def _edit(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    edited = bytearray(content)
    for kind, where, data in edits:
        place = where % (len(edited) + 1)
        match kind:
            case "flip" if place < len(edited):
                edited[place] ^= 1 << where % 8
            case "cut":
                del edited[place:]
            case "insert":
                edited[place:place] = data
            case "replace":
                edited[place : place + len(data)] = data
            case "repeat":
                edited[place:place] = edited[max(0, place - 50) : place]
    return bytes(edited)


def changed_json(sound: Any) -> st.SearchStrategy[bytes]:
    """Return what a document becomes when values of it are others, or its text is changed."""
    encoded = json.dumps(sound).encode()
    return JSON.map(lambda value: json.dumps(value).encode()) | _values(sound).map(_dump) | changed(encoded) | NESTS


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _values(sound: Any) -> st.SearchStrategy[Any]:
    if not isinstance(sound, dict):
        return st.just(sound) | JSON
    fields = {name: st.just(value) | _values(value) for name, value in sound.items()}
    return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(fields)
