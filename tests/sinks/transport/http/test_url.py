import pytest

from plugin.sinks.transport.http.url import parse_url


def test_user_and_password_are_kept_apart_from_what_shows() -> None:
    url = parse_url("https://tenant:s3cr%40t@logs.example:3100/push?token=abc#x")
    assert str(url.target) == "https://logs.example:3100/push?token=abc"
    assert (url.user, url.password.reveal()) == ("tenant", "s3cr@t")
    for shown in (str(url), repr(url), f"{url}"):
        assert "logs.example:3100" in shown
        assert not any(secret in shown for secret in ("s3cr", "tenant", "abc", "push"))


def test_basic_authentication_as_rfc_7617_has_it() -> None:
    """The examples of RFC 7617, section 2 and 2.1."""
    for url, value in (
        ("http://Aladdin:open%20sesame@h", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("http://test:123%C2%A3@h", "Basic dGVzdDoxMjPCow=="),
    ):
        authorization = parse_url(url).authorization
        assert authorization is not None
        assert authorization.reveal() == value
    assert parse_url("http://h").authorization is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "logs.example:3100",
        "ftp://logs.example",
        "http://",
        "https://:3100/x",
        "http://h:99999/",
        "http://h:0/",
        "http://user:s3cret@h:port/",
        "http://a b/",
        "/loki/api/v1/push",
    ],
)
def test_what_is_no_absolute_url_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|port") as caught:
        parse_url(text)
    assert "s3cret" not in str(caught.value)


def test_a_default_path_is_added_only_where_there_is_none() -> None:
    for text, path in (("http://h", "/p"), ("http://h/", "/p"), ("http://h/x", "/x"), ("http://h/x/", "/x/")):
        assert parse_url(text).with_default_path("/p").target.path == path
    assert str(parse_url("http://u:p@h").with_default_path("/p").target) == "http://h/p"


def test_a_host_that_is_this_one_is_known() -> None:
    for host in ("localhost", "127.0.0.1", "127.8.8.8", "[::1]", "LOCALHOST."):
        assert parse_url(f"http://{host}:1").is_loopback
    for host in ("example.com", "10.0.0.1", "localhost.example.com"):
        assert not parse_url(f"http://{host}:1").is_loopback
