"""What the options accept, and what they refuse."""

import pytest

from plugin.errors import OptionError
from plugin.sinks.kafka.options import parse_brokers
from plugin.sinks.transport.dial import Address
from tests.sinks.factories import sink_of


def test_brokers() -> None:
    assert parse_brokers("a:9093, b,[::1],[::2]:1").addresses == (
        Address("a", 9093),
        Address("b", 9092),
        Address("::1", 9092),
        Address("::2", 1),
    )
    assert str(parse_brokers("a:9093,[::1]")) == "a:9093,[::1]:9092"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "does not name host and port"),
        ("a,", "does not name host and port"),
        ("kafka://a:1", "named by host and port alone"),
        ("user:secret@a:1", "named by host and port alone"),
        ("::1", "must be in brackets"),
        ("a:0", "1"),
        ("a:x", "does not name host and port"),
    ],
)
def test_brokers_that_are_none(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_brokers(text)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"kafka_topic": "a b"}, "is not a topic"),
        ({"kafka_topic": "logs/{{.Name}}"}, "is not a topic"),
        ({"kafka_username": "u"}, "'kafka-username' needs 'kafka-password'"),
        ({"kafka_password": "p"}, "'kafka-password' needs 'kafka-username'"),
        ({"kafka_tls_ca_cert": "/ca.pem"}, "needs kafka-tls=true"),
        (
            {"kafka_lines_per_message": "2", "kafka_format": "text"},
            "'kafka-lines-per-message' needs 'kafka-format' json",
        ),
        ({"kafka_compresion": "lz4"}, "kafka-compression"),
        ({"kafka_sasl_mechanism": "gssapi"}, "scram-sha-256"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_is_refused(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError, match=fault):
        sink_of(**{"kafka_brokers": "127.0.0.1:1"} | options)
