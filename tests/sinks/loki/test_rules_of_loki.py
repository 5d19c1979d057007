"""What Loki's distributor checks of every stream and entry, with the limits that it has where nobody has set others.

Rules of ``pkg/distributor/validator.go`` and ``pkg/validation/limits.go`` in grafana/loki; labels are parsed as LogQL
does (``syntax.ParseLabels``).
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sinks.factories import origin_of, records_of, sink_of
from tests.sinks.loki.payloads import decode_payload
from tests.sinks.loki.push_decoder import Entry

MOST_LABELS, LONGEST_NAME, LONGEST_VALUE = 15, 1024, 2048
LONGEST_LINE = 256 * 1024
MOST_METADATA, LARGEST_METADATA = 128, 64 * 1024

_LABELS = re.compile(r'\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*"(?:, )?)+\}', re.ASCII)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"', re.ASCII)


def validate(entry: Entry) -> None:
    """Fail for an entry that the distributor would refuse."""
    assert _LABELS.fullmatch(entry.labels), "syntax.ParseLabels"
    labels = _LABEL.findall(entry.labels)
    assert 1 <= len(labels) <= MOST_LABELS, "max_label_names_per_series"
    assert len({name for name, _ in labels}) == len(labels), "duplicate_label_names"
    assert all(len(name) <= LONGEST_NAME for name, _ in labels), "max_label_name_length"
    assert all(len(value.encode()) <= 4 * LONGEST_VALUE for _, value in labels), "max_label_value_length, as quoted"
    assert len(entry.line.encode()) <= LONGEST_LINE, "max_line_size"
    assert len(entry.metadata) <= MOST_METADATA, "max_structured_metadata_entries_count"
    size = sum(len(name.encode()) + len(value.encode()) for name, value in entry.metadata.items())
    assert size <= LARGEST_METADATA, "max_structured_metadata_size"


NAMES = st.text(max_size=8) | st.sampled_from(["", "source", "host", "a-b", "a.b", "a_b", "1a", "ü", "n" * 1025])
VALUES = st.text(max_size=8) | st.sampled_from(["", '"\\', "\n\0", "v" * 2048, "v" * 2049, "ü" * 1025, "x" * 70_000])


@given(st.dictionaries(NAMES, VALUES, max_size=40), st.binary(max_size=40) | st.just(b"l" * 600_000))
def test_any_entry_is_one_that_is_taken(attributes: dict[str, str], line: bytes) -> None:
    sink = sink_of(loki_url="http://h")
    for entry in decode_payload(sink.encode(records_of(sink, [b"x" + line], origin_of(attributes=attributes)))):
        validate(entry)


@pytest.mark.parametrize("labels", ["container_name=,host=", "container_name=,host=,a=b"])
def test_a_stream_always_has_a_label(labels: str) -> None:
    """``error at least one label pair is required per stream``."""
    sink = sink_of(loki_url="http://h", loki_external_labels=labels)
    (entry,) = decode_payload(sink.encode(records_of(sink, [b"x"])))
    validate(entry)
