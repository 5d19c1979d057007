"""A receiver of events of Splunk's HTTP event collector."""

import json
from decimal import Decimal

from tests.sinks.receiving.http import http_server
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.times import SECOND


def decode_events(body: bytes) -> list[Received]:
    """Read events of HEC, one behind the other, whose tag is the container's name."""
    decoder = json.JSONDecoder()
    text = body.decode()
    records = []
    position = 0
    while position < len(text):
        event, position = decoder.raw_decode(text, position)
        content = event["event"]
        moment = int(Decimal(event["time"]) * SECOND)
        records.append(Received(content["tag"], content["source"], content["line"].encode(), moment))
    return records


def _acknowledge(number: int) -> bytes:
    return b'{"text":"Success","code":0,"ackId":%d}' % number


PROTOCOL = http_server(decode_events, _acknowledge)
