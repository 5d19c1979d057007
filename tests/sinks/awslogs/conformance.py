"""awslogs in the conformance suite."""

from collections.abc import Mapping
from pathlib import Path

from tests.sinks.awslogs.receiver import MILLISECOND, CloudWatch, cloudwatch, options_for
from tests.sinks.conformance import HTTP, SECRET, Entry, as_text
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Receiver


class _Region(Receiver):
    """A receiver that shows what arrived in the order in which it did: streams are sent to over several connections."""

    @property
    def received(self) -> list[Received]:
        with self._lock:
            return list(self._received)


def _server(_: Path) -> Receiver:
    cloud = CloudWatch("shop")
    cloud.keys["SECRET"] = (SECRET, SECRET)
    return _Region(cloudwatch(cloud))


def _options(at: Receiver) -> Mapping[str, str]:
    options = options_for(f"127.0.0.1:{at.port}")
    del options["awslogs-timeout"]
    return options


def _secret(_: Receiver) -> Mapping[str, str]:
    return {"awslogs-access-key-id": "SECRET", "awslogs-secret-access-key": SECRET, "awslogs-session-token": SECRET}


ENTRIES = (
    Entry(
        "awslogs",
        _options,
        _server,
        lambda line: as_text(line) or None,
        resolution=MILLISECOND,
        faults=HTTP,
        patience="awslogs-timeout",
        secret_options=_secret,
        refused_line=b"no event for this one",
        has_sources=False,
    ),
)
