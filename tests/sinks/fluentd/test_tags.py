"""Tags of Forward messages."""

import msgpack
import pytest

from tests.sinks.factories import origin_of, records_of, sink_of


@pytest.mark.parametrize(("tag", "sent"), [("web", "web"), ("", "8c1f8c1f8c1f"), (" \t", "8c1f8c1f8c1f")])
def test_an_empty_tag_falls_back_to_the_id(tag: str, sent: str) -> None:
    """Without one an event goes nowhere: Fluentd matches patterns against the tag."""
    sink = sink_of(fluentd_address="h")
    payload = sink.encode(records_of(sink, [b"x"], origin_of(tag=tag)))
    assert msgpack.unpackb(payload)[0] == sent
