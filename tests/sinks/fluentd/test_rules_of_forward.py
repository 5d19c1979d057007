"""What Fluentd and Fluent Bit skip, or close the connection for: no entry may be such.

Rules of ``in_forward`` and ``in_secure_forward`` in fluent/fluentd (``skip_invalid_event``: an entry without a time, or
whose record is not a map), of ``flb_log_event_decoder.c`` in fluent/fluent-bit (times with the highest bit are
markers), and of the ``Forward Protocol Specification v1``: a tag is not empty, keys are strings.
"""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record
from tests.sinks.factories import TIME, origin_of, sink_of

NAMES = st.text(max_size=6) | st.sampled_from(["log", "source", "container_id", "partial_id", "", "ü"])
TIMES = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-1, 0, TIME, 2**31 * 10**9, 2**32 * 10**9])


@pytest.mark.parametrize("precise", ["true", "false"])
@given(
    st.text(max_size=6),
    st.dictionaries(NAMES, st.text(max_size=6), max_size=20),
    st.lists(st.tuples(TIMES, st.binary(max_size=300), st.integers(0, 2)), min_size=1, max_size=5),
)
def test_any_entry_is_one_that_is_taken(
    precise: str, tag: str, attributes: dict[str, str], lines: list[tuple[int, bytes, int]]
) -> None:
    sink = sink_of(fluentd_address="h", fluentd_sub_second_precision=precise)
    prepared = sink.prepare(origin_of(tag=tag, attributes=attributes))
    records = [
        Record(prepared, "stdout", time, line, number, part_id="1f", part_ordinal=ordinal)
        for number, (time, line, ordinal) in enumerate(lines)
    ]
    sent_tag, entries, option = msgpack.unpackb(sink.encode(records), strict_map_key=True)
    assert sent_tag.strip()
    assert option["size"] == len(lines)
    unpacker = msgpack.Unpacker(object_pairs_hook=_no_name_twice, raw=False)
    unpacker.feed(entries)
    decoded = list(unpacker)
    assert len(decoded) == len(lines)
    for time, record in decoded:
        seconds = int.from_bytes(time.data[:4], "big") if isinstance(time, msgpack.ExtType) else time
        assert 0 <= seconds < 2**31
        assert isinstance(record["log"], str)


def _no_name_twice(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    assert all(isinstance(name, str) for name, _ in pairs)
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)
