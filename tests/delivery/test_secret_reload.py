"""Which sinks are made anew, and when."""

from pathlib import Path

import pytest

from plugin.config.options import validate, validate_leniently
from plugin.delivery.secret_reload import Renewal
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.registry import schema

TEXTS = {
    **dict.fromkeys(("http-headers", "elasticsearch-headers", "otlp-headers"), "X-Api-Key=secret"),
    "gcp-credentials": '{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}',
    "amqp-url": "amqp://user:password@example.com",
    "nats-url": "nats://user:password@example.com",
    "redis-url": "redis://user:password@example.com",
}


def renewal_of(**options: str) -> Renewal:
    written = {name.replace("_", "-"): text for name, text in options.items()}
    (choice,) = validate(written, schema=schema()).sinks
    return Renewal(choice, lambda: validate_leniently(written, schema=schema())[0].sinks)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("old")
    return path


def test_a_secret_that_is_given_by_itself_never_changes() -> None:
    assert renewal_of(http_url="http://a", http_bearer_token="secret").renewed() is None  # noqa: S106


def test_a_secret_that_has_not_changed_makes_nothing(token: Path) -> None:
    renewal = renewal_of(splunk_url="http://a", splunk_token_file=str(token))
    token.write_text("old\n")
    assert renewal.renewed() is None


def test_each_change_makes_one_sink(token: Path) -> None:
    renewal = renewal_of(splunk_url="http://a", splunk_token_file=str(token))
    for text in ("new", "newer"):
        token.write_text(text)
        assert renewal.renewed() is not None
        assert renewal.renewed() is None


def test_a_file_that_cannot_be_read_is_named_and_makes_nothing(token: Path) -> None:
    renewal = renewal_of(splunk_url="http://a", splunk_token_file=str(token))
    token.unlink()
    with pytest.raises(MisconfiguredError, match=str(token)):
        renewal.renewed()
    token.write_text("old")
    assert renewal.renewed() is None


def test_plugin_wide_options_count_as_a_containers_own(token: Path) -> None:
    defaults = {"splunk-url": "http://a", "splunk-token-file": str(token)}
    (choice,) = validate({}, defaults, schema()).sinks
    renewal = Renewal(choice, lambda: validate_leniently({}, defaults, schema())[0].sinks)
    token.write_text("new")
    assert renewal.renewed() is not None


@pytest.mark.parametrize(
    "option",
    [option for sink in schema().sinks for option in sink.options if option.twin],
    ids=lambda option: option.name,
)
def test_what_any_secret_option_gives_can_be_compared(option: object) -> None:
    text = TEXTS.get(option.name, "https://user:password@example.com/path")  # type: ignore[attr-defined]
    parse = option.kind.parse  # type: ignore[attr-defined]
    assert parse(text) == parse(text)
