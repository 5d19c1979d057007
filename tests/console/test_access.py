"""Who may see the page: not pages of other sites, not other hosts without a token, nobody with a wrong one."""

import http.cookies
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.config.settings import load_settings
from plugin.console.access import HEADERS, is_loopback_name
from plugin.errors import SettingError
from tests.console.conftest import Site, console_server
from tests.testbed.lifetimes import short_folder

TOKEN = "correct-horse-battery-staple"  # noqa: S105


@pytest.fixture(scope="module")
def guarded() -> Iterator[Site]:
    """A page that asks for a token."""
    with short_folder() as folder, console_server(folder, PEAVEY_HTTP_TOKEN=TOKEN) as (_, site):
        yield site


def sign_in(site: Site, token: str) -> tuple[int, dict[str, str]]:
    headers = {"Origin": site.url, "Content-Type": "application/x-www-form-urlencoded"}
    status, found, _ = site.request("POST", "/login", f"token={token}".encode(), headers)
    return status, found


def test_every_answer_forbids_scripts_from_elsewhere(site: Site) -> None:
    for path in ("/", "/static/main.js", "/api/overview", "/nothing-here"):
        _, headers, _ = site.request("GET", path)
        assert {name: headers[name.lower()] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1", "127.0.0.1.evil.example", ""])
def test_without_a_token_only_this_host_is_answered(site: Site, host: str) -> None:
    status, _, content = site.request("GET", "/api/overview", headers={"Host": host})

    assert status == 421
    assert b"containers" not in content


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=["other origin", "no origin", "cross-site", "same-site"],
)
def test_a_page_of_another_site_gets_nothing(site: Site, headers: dict[str, str]) -> None:
    assert site.request("GET", "/api/overview", headers=headers)[0] == 403


def test_a_change_needs_an_origin(site: Site) -> None:
    status, _, content = site.request("POST", "/api/dead/again", b"{}")

    assert (status, content) == (403, b"a change needs the header Origin, or a bearer token\n")


@pytest.mark.parametrize("path", ["/api/overview", "/api/lines", "/api/tail", "/api/dead", "/status", "/metrics"])
def test_with_a_token_nothing_is_shown_without_it(guarded: Site, path: str) -> None:
    status, headers, content = guarded.request("GET", path)

    assert status == 401
    assert headers["www-authenticate"] == 'Bearer realm="peavey"'
    assert TOKEN.encode() not in content


def test_the_page_itself_leads_to_the_form(guarded: Site) -> None:
    status, headers, _ = guarded.request("GET", "/")

    assert (status, headers["location"]) == (303, "/login")
    assert b'name="token"' in guarded.request("GET", "/login")[2]


def test_health_is_open(guarded: Site) -> None:
    assert guarded.request("GET", "/healthz")[0] == 200


def test_the_right_token_opens_by_a_cookie_that_no_script_and_no_other_site_gets(guarded: Site) -> None:
    status, headers = sign_in(guarded, TOKEN)
    cookie = http.cookies.SimpleCookie(headers["set-cookie"])["peavey_session"]

    assert (status, headers["location"]) == (303, "/")
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "strict"
    assert TOKEN not in headers["set-cookie"]
    assert guarded.request("GET", "/api/overview", headers={"Cookie": f"peavey_session={cookie.value}"})[0] == 200


def test_programs_send_the_token_as_it_is(guarded: Site) -> None:
    assert guarded.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong-wrong-wrong-wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Cookie": f"peavey_session={TOKEN}"},
        {"Cookie": "peavey_session="},
        {"Cookie": "peavey_session=\xff"},
        {"Cookie": ";;=;"},
    ],
    ids=["other token", "other scheme", "no token", "token as cookie", "empty cookie", "not ASCII", "odd cookie"],
)
def test_anything_else_does_not_open(guarded: Site, headers: dict[str, str]) -> None:
    assert guarded.request("GET", "/api/overview", headers=headers)[0] == 401


def test_a_wrong_token_is_refused(guarded: Site) -> None:
    status, headers = sign_in(guarded, "wrong-wrong-wrong-wrong")

    assert status == 403
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("127.0.0.1:9464", True),
        ("127.1.2.3", True),
        ("[::1]:80", True),
        ("[::1]", True),
        ("localhost.evil.example", False),
        ("192.168.0.1", False),
        ("[::2]", False),
        ("", False),
        (":80", False),
    ],
)
def test_names_of_this_host(host: str, loopback: bool) -> None:
    assert is_loopback_name(host) is loopback


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"PEAVEY_CONSOLE": "true"}, "PEAVEY_CONSOLE: PEAVEY_HTTP is needed"),
        ({"PEAVEY_CONSOLE": "true", "PEAVEY_HTTP": "0.0.0.0:9464"}, "set PEAVEY_HTTP_TOKEN, or a loopback address"),
        ({"PEAVEY_CONSOLE": "true", "PEAVEY_HTTP": "[::]:9464"}, "set PEAVEY_HTTP_TOKEN, or a loopback address"),
        ({"PEAVEY_HTTP_TOKEN": "short"}, "PEAVEY_HTTP_TOKEN: a token has at least 16 printable ASCII characters"),
        ({"PEAVEY_HTTP_TOKEN": "@/no/such/file"}, "PEAVEY_HTTP_TOKEN: "),
        ({"PEAVEY_HTTP_TLS_KEY": "/key.pem"}, "PEAVEY_HTTP_TLS_KEY: PEAVEY_HTTP_TLS_CERT is needed, too"),
    ],
    ids=["no address", "any address", "any IPv6 address", "short token", "no file", "key alone"],
)
def test_settings_by_which_others_could_read_logs_are_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError) as refusal:
        load_settings({}, environ)

    assert message in str(refusal.value)
    assert "short" not in str(refusal.value).replace("short token", "")


def test_a_token_can_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    environ = {"PEAVEY_CONSOLE": "true", "PEAVEY_HTTP": "0.0.0.0:9464", "PEAVEY_HTTP_TOKEN": f"@{tmp_path}/token"}

    assert load_settings({}, environ).http_token.reveal() == TOKEN
