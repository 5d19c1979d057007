import pytest

from plugin.sinks.redis.url import parse_redis_url
from plugin.sinks.transport.dial import Address


def test_a_url_in_full() -> None:
    url = parse_redis_url("rediss://user:p%40ss@redis.example.com:6380/3")
    assert url.addresses == (Address("redis.example.com", 6380),)
    assert (url.tls, url.user, url.password.reveal(), url.database) == (True, "user", "p@ss", 3)
    assert "p@ss" not in repr(url)
    assert str(url) == "redis.example.com:6380"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("redis://localhost", (Address("localhost", 6379),)),
        ("redis://[::1]", (Address("::1", 6379),)),
        ("redis://[::1]:7000", (Address("::1", 7000),)),
        ("redis://a:1,b,c:3", (Address("a", 1), Address("b", 6379), Address("c", 3))),
        ("unix:///run/redis.sock", (Address(path="/run/redis.sock"),)),
        ("unix://:secret@/run/redis.sock", (Address(path="/run/redis.sock"),)),
    ],
)
def test_addresses(text: str, addresses: tuple[Address, ...]) -> None:
    assert parse_redis_url(text).addresses == addresses


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("localhost:6379", "it is not a redis://"),
        ("http://localhost", "it is not a redis://"),
        ("redis://", "a host is missing"),
        ("redis://a,,b", "a host is missing"),
        ("redis://:secret@", "a host is missing"),
        ("redis://a:0", "not a number from 1 to 65535"),
        ("redis://a:70000", "not a number from 1 to 65535"),
        ("redis://::1", "in brackets"),
        ("redis://:secret@a/logs", "the number of a database"),
        ("unix://run", "does not name a socket"),
    ],
)
def test_what_is_wrong_is_named_and_no_password_is_shown(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=r"redis|socket") as caught:
        parse_redis_url(text)
    assert fault in str(caught.value)
    assert "secret" not in str(caught.value)
