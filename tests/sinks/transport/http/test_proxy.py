"""Which hosts ``no_proxy`` excepts, as Go and curl read it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.errors import PeaveyError
from plugin.sinks.transport.http.proxy import environment_proxy, is_excepted
from plugin.sinks.transport.http.url import parse_url


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [
        ("logs.corp", "*"),
        ("logs.corp", "logs.corp"),
        ("LOGS.corp", "Logs.Corp"),
        ("logs.corp", "corp"),
        ("logs.corp", ".corp"),
        ("logs.corp", "*.corp"),
        ("logs.corp.", "logs.corp"),
        ("logs.corp", "logs.corp."),
        ("logs.corp", "other, logs.corp"),
        ("logs.corp", "other logs.corp"),
        ("logs.corp", "logs.corp:3100"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3:3100"),
        ("fd00::1", "fd00::1"),
        ("fd00::1", "[fd00::1]"),
        ("fd00::1", "[fd00::1]:3100"),
        ("fd00::1", "FD00:0::1"),
        ("fd00::1", "fd00::/8"),
    ],
)
def test_it_excepts(host: str, no_proxy: str) -> None:
    assert is_excepted(host, 3100, no_proxy)


@pytest.mark.parametrize(
    ("host", "no_proxy"),
    [
        ("logs.corp", ""),
        ("logs.corp", ","),
        ("logs.corp", "."),
        ("logs.corp", ".logs.corp"),
        ("corp", "*.corp"),
        ("logs.corp", "s.corp"),
        ("logs.corp", "logs.corp:443"),
        ("logs.corp", "10.0.0.0/8"),
        ("10.1.2.3", "2.3"),
        ("10.1.2.3", "11.0.0.0/8"),
        ("10.1.2.3", "10.0.0.0/99"),
        ("10.1.2.3", "10.1.2.3:443"),
        ("fd00::1", "10.0.0.0/8"),
        ("fd00::1", "[fd00::1]:443"),
        ("fd00::1", "[fd00::1"),
        pytest.param("logs.corp", "logs.corp:" + "9" * 5_000, id="a port of 5,000 digits"),
    ],
)
def test_it_does_not_except(host: str, no_proxy: str) -> None:
    assert not is_excepted(host, 3100, no_proxy)


@given(st.text(), st.text())
def test_no_text_makes_it_fail(host: str, no_proxy: str) -> None:
    is_excepted(host, 3100, no_proxy)


def test_a_network_of_the_environment_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy.corp:3128")
    monkeypatch.setenv("no_proxy", "10.0.0.0/8,*.corp")
    assert environment_proxy(parse_url("http://10.1.2.3:3100/")) is None
    assert environment_proxy(parse_url("http://loki.corp:3100/")) is None
    assert str(environment_proxy(parse_url("http://loki.example:3100/"))) == "http://proxy.corp:3128"


def test_one_that_is_not_a_url_is_a_misconfiguration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://:x")
    with pytest.raises(PeaveyError, match="the proxy that the environment names cannot be used"):
        environment_proxy(parse_url("http://loki.example:3100/"))
