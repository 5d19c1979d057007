"""fluentd in the conformance suite."""

from collections.abc import Mapping

from tests.sinks.conformance import ANSWERED, SECRET, Entry, as_text, server
from tests.sinks.fluentd.receiver import PROTOCOL
from tests.sinks.receiving.receiver import Receiver


def _fluentd(at: Receiver) -> Mapping[str, str]:
    return {"fluentd-address": f"127.0.0.1:{at.port}"}


ENTRIES = (
    Entry(
        "fluentd",
        _fluentd,
        server(PROTOCOL),
        as_text,
        faults=ANSWERED,
        patience="fluentd-read-timeout",
        secret_options=lambda _: {
            "fluentd-shared-key": SECRET,
            "fluentd-username": "user",
            "fluentd-password": SECRET,
        },
    ),
)
