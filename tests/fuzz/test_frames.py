"""Bytes of a FIFO or a segment: whatever they are, they are read, the same by the pure and the compiled modules."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import reading
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import changed
from tests.fuzz.pure import pure
from tests.journal.entries import encode, entries
from tests.testbed.wire import LogEntry, WireError, decode, decode_all

Compare = Callable[[Callable[[bytes], Any], bytes], None]

SOUND = entries(max_size=12).map(encode)
CONTENTS = SOUND | SOUND.flatmap(changed) | st.binary(max_size=200)


@pytest.fixture(scope="module")
def compare() -> Iterator[Compare]:
    """CallQueue a function on bytes; where the modules are compiled, their Python source must give the same."""
    if os.environ.get("PEAVEY_COMPILED") != "1":
        yield lambda function, content: function(content)
        return
    with pure() as call:

        def both(function: Callable[[bytes], Any], content: bytes) -> None:
            assert repr(function(content)) == call(function, content)

        yield both


@fuzzed()
@given(CONTENTS)
def test_intake_walks_over_them(compare: Compare, content: bytes) -> None:
    compare(reading.walk, content)


@fuzzed()
@given(CONTENTS)
def test_delivery_makes_records_of_them(compare: Compare, content: bytes) -> None:
    compare(reading.records, content)


@fuzzed()
@given(CONTENTS)
def test_docker_logs_makes_frames_of_them(compare: Compare, content: bytes) -> None:
    compare(reading.frames, content)
    # A source that is not UTF-8 is passed on as it is: the engine's protobuf does not look at that.
    with suppress(UnicodeDecodeError):
        decode_all(reading.frames(content)[0][2])  # type: ignore[index]


@fuzzed()
@given(CONTENTS)
def test_an_entry(compare: Compare, content: bytes) -> None:
    compare(reading.entry, content[4:])
    compare(reading.size, content[:4])


@fuzzed()
@given(SOUND.flatmap(changed))
def test_an_entry_is_read_as_the_engine_reads_it(content: bytes) -> None:
    body = content[4:]
    try:
        expected: LogEntry | None = decode(body)
    except (WireError, UnicodeDecodeError):
        expected = None
    found = reading.entry(body)
    if expected is not None and isinstance(found, tuple):
        entry = found[0]
        assert (entry.line, entry.time_nano, entry.partial) == (expected.line, expected.time_nano, expected.partial)
