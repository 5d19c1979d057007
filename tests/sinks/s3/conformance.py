"""s3 in the conformance suite."""

from tests.sinks.conformance import ANSWERED, SECRET, Entry, as_text, url_of
from tests.sinks.s3.receiver import PROTOCOL, ObjectReceiver

_KEY = {"s3-bucket": "logs", "s3-region": "us-east-1", "s3-access-key-id": "testing", "s3-secret-access-key": SECRET}

ENTRIES = (
    Entry(
        "s3",
        lambda at: {"s3-endpoint": url_of(at), **_KEY},
        lambda _: ObjectReceiver(PROTOCOL),
        as_text,
        faults=ANSWERED | {"statuses"},
        patience="s3-timeout",
        secret_options=lambda at: {"s3-endpoint": url_of(at), **_KEY, "s3-session-token": SECRET},
    ),
)
