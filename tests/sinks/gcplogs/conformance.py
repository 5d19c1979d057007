"""gcplogs in the conformance suite."""

import json
from collections.abc import Mapping
from pathlib import Path

from tests.sinks.conformance import HTTP, SECRET, Entry, as_text, url_of
from tests.sinks.gcplogs.receiver import GoogleCloud, google_cloud, service_account
from tests.sinks.receiving.receiver import Receiver


def _server(_: Path) -> Receiver:
    return Receiver(google_cloud(GoogleCloud()))


def _secret(at: Receiver) -> Mapping[str, str]:
    user = {"type": "authorized_user", "client_id": "x", "client_secret": SECRET, "refresh_token": "good"}
    return {"gcp-credentials": json.dumps({**user, "token_uri": f"{url_of(at)}/token"})}


ENTRIES = (
    Entry(
        "gcplogs",
        lambda at: {
            "gcp-endpoint": url_of(at),
            "gcp-project": "shop-4711",
            "gcp-meta-name": "node1",
            "gcp-credentials": service_account(at.port),
        },
        _server,
        as_text,
        faults=HTTP,
        patience="gcp-timeout",
        secret_options=_secret,
        refused_line=b"no entry for this one",
    ),
)
