import pytest

from plugin.errors import OptionError
from plugin.sinks.nats.options import parse_nats_url
from plugin.sinks.nats.sink import subject_of
from plugin.sinks.transport.dial import Address
from tests.sinks.factories import sink_of


@pytest.mark.parametrize(
    ("text", "addresses", "tls", "login"),
    [
        ("nats://a:1", (Address("a", 1),), False, ("", "")),
        ("localhost", (Address("localhost", 4222),), False, ("", "")),
        (
            "tls://u:p%40@a,b:2,tls://[::1]:3/",
            (Address("a", 4222), Address("b", 2), Address("::1", 3)),
            True,
            ("u", "p@"),
        ),
        ("nats://token@a", (Address("a", 4222),), False, ("", "token")),
    ],
)
def test_urls(text: str, addresses: tuple[Address, ...], tls: bool, login: tuple[str, str]) -> None:
    url = parse_nats_url(text)
    assert (url.addresses, url.tls, (url.user, url.password.reveal())) == (addresses, tls, login)
    assert "p@" not in repr(url)


@pytest.mark.parametrize(
    "text", ["http://a", "nats://", "nats://a:b", "nats://a,tls://b", "nats://::1", "nats://u:secret@"]
)
def test_urls_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"example|nats://") as caught:
        parse_nats_url(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("rendered", "subject"),
    [
        ("logs.node1.web", "logs.node1.web"),
        ("logs..a b.*.>", "logs.a_b._._"),
        (".a.", "a"),
        ("logs.a\r\nPUB x", "logs.a__PUB_x"),
    ],
)
def test_subjects_hold_nothing_that_no_subject_may(rendered: str, subject: str) -> None:
    assert subject_of(rendered) == subject


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"nats_url": "http://localhost"}, r"expected: nats://HOST:PORT"),
        ({"nats_subject": "logs.*"}, "not a subject to publish to"),
        ({"nats_subject": "{{.Nmae}}"}, "Nmae"),
        ({"nats_stream": "a.b"}, "not a stream's name"),
        ({"nats_subjekt": "x"}, "nats-subject"),
        ({"nats_create_stream": "true", "nats_subject": "{{.Name}}"}, "begins with a name and a point"),
        ({"nats_username": "x"}, "needs 'nats-password'"),
        ({"nats_token": "x", "nats_username": "u", "nats_password": "y"}, "one way to log in is enough"),
        ({"nats_nkey": "UABC"}, "not the seed of a user"),
        ({"nats_creds": "/run/secrets/nats.creds"}, "nats-creds-file"),
        ({"nats_lines_per_message": "0"}, "nats-lines-per-message"),
    ],
)
def test_options_that_are_wrong(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError, match=fault):
        sink_of(**{"nats_url": "nats://localhost"} | options)
