"""splunk in the conformance suite."""

from collections.abc import Mapping

from tests.sinks.conformance import HTTP, SECRET, Entry, as_text, server, url_of
from tests.sinks.receiving.receiver import Receiver
from tests.sinks.splunk.receiver import PROTOCOL


def _splunk(at: Receiver) -> Mapping[str, str]:
    return {
        "splunk-url": url_of(at),
        "splunk-token": SECRET,
        "splunk-gzip": "true",
        "splunk-index-acknowledgment": "true",
        "splunk-ack-timeout": "5s",  # what a server took and forgot is asked for so long
        "tag": "{{.Name}}",
    }


ENTRIES = (
    Entry(
        "splunk",
        _splunk,
        server(PROTOCOL),
        as_text,
        faults=HTTP,
        patience="splunk-timeout",
        secret_options=lambda _: {},
        refused_line=b"no entry for this one",
    ),
)
