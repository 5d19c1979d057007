"""URLs of RabbitMQ."""

import pytest

from plugin.sinks.amqp.url import parse_amqp_url
from plugin.sinks.transport.dial import Address


def test_all_parts() -> None:
    url = parse_amqp_url("amqps://me:p%40ss@a.example.com:1234,b.example.com,[::1]:7/%2Flogs")
    assert url.addresses == (Address("a.example.com", 1234), Address("b.example.com", 5671), Address("::1", 7))
    assert (url.tls, url.user, url.password.reveal(), url.vhost) == (True, "me", "p@ss", "/logs")
    assert "p@ss" not in f"{url!r} {url}"


@pytest.mark.parametrize("text", ["amqp://h", "amqp://h/"])
def test_what_is_left_out(text: str) -> None:
    url = parse_amqp_url(text)
    assert (url.addresses, url.tls, url.user, url.vhost) == ((Address("h", 5672),), False, "", "/")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://h", "not an amqp:// or amqps://"),
        ("amqp://se cret@h", "not an amqp:// or amqps://"),
        ("amqp://u:secret@", "a host is missing"),
        ("amqp://u:secret@h:0", "not a number from 1"),
        ("amqp://u:secret@::1", "must be in brackets"),
        ("amqp://u:secret@h/a/b", "must be written %2F"),
        ("amqp://u:secret@h/v?heartbeat=1", "it has a query"),
    ],
)
def test_what_cannot_be(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_amqp_url(text)
    assert "secret" not in str(caught.value)
