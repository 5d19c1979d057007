"""elasticsearch in the conformance suite."""

from pathlib import Path

from tests.sinks.conformance import HTTP, SECRET, Entry, as_text, url_of, url_with_password
from tests.sinks.elasticsearch.receiver import Store, bulk_server
from tests.sinks.receiving.receiver import Receiver


def _server(_: Path) -> Receiver:
    return Receiver(bulk_server(Store()))


ENTRIES = (
    Entry(
        "elasticsearch",
        lambda at: {"elasticsearch-url": url_of(at)},
        _server,
        as_text,
        faults=HTTP | {"cuts"},
        patience="elasticsearch-timeout",
        secret_options=lambda at: {"elasticsearch-url": url_with_password(at)},
        refused_line=b"no entry for this one",
        exactly_once=True,
    ),
    Entry(
        "elasticsearch gzip",
        lambda at: {
            "elasticsearch-url": url_of(at),
            "elasticsearch-compression": "gzip",
            "elasticsearch-index": "docker-{{.Name}}",
        },
        _server,
        as_text,
        faults=HTTP,
        patience="elasticsearch-timeout",
        secret_options=lambda _: {"elasticsearch-api-key": SECRET},
        refused_line=b"no entry for this one",
        exactly_once=True,
    ),
)
