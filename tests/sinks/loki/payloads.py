"""What is in the payloads of the sink ``loki``, as if one push held all of it."""

from plugin.sinks.loki.pushes import push_body, unpack
from tests.sinks.loki.push_decoder import Entry, decode_body


def decode_payload(payload: bytes) -> list[Entry]:
    """Decode the entries of all streams of a payload."""
    return decode_body(push_body(unpack(payload)))
