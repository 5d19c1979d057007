"""A receiver of Loki's push requests, which takes them in part and answers for the last stream alone, as Loki does.

Source: ``instance.Push`` of ``pkg/ingester/instance.go`` in grafana/loki.
"""

import re
from dataclasses import replace

from tests.sinks.loki.push_decoder import decode_body
from tests.sinks.receiving.http import http_server
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Receiver

_LABEL = re.compile(r'(\w+)="([^"]*)"')


def decode_loki(body: bytes) -> list[Received]:
    """Read a push request."""
    records = []
    for entry in decode_body(body):
        labels = dict(_LABEL.findall(entry.labels))
        records.append(Received(labels["container_name"], labels["source"], entry.line.encode(), entry.time_nano))
    return records


def answer_for_the_last_stream(receiver: Receiver, records: list[Received]) -> tuple[int, list[Received]]:
    """Leave out records that are refused, and say so only of the stream that comes last.

    What a refusal makes the sink repeat is not taken twice.
    """
    if not receiver.refused:
        return 200, records
    kept = [record for record in records if receiver.refused not in record.line]
    complains = any(receiver.refused in r.line for r in records if stream_of(r) == stream_of(records[-1]))
    known = {replace(record, connection=0) for record in receiver.received}
    return (400 if complains else 200), [record for record in kept if record not in known]


def stream_of(record: Received) -> tuple[str, str]:
    """Name the stream of a record."""
    return record.container, record.source


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"loki-url": f"http://{address}/loki/api/v1/push", "loki-timeout": "2m"}


PROTOCOL = http_server(decode_loki, choose=answer_for_the_last_stream)
