"""Texts that go into headers: none that HTTP cannot hold, and none that shows when a server sends it back."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from plugin.config.options import validate, validate_leniently
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.registry import schema
from tests.sinks.factories import sink_of
from tests.sinks.http_servers import answer_by, failure_of, http_server

PASSWORD = 's3cret/"pass"'  # noqa: S105 (it guards nothing)
LOKI = {"loki-url": "http://h"}
SPLUNK = {"splunk-url": "http://h"}


@pytest.mark.parametrize("text", ["a\nb", "a\r\nX-Evil: b", "a\0", "\x7f", "a\tb", " a", "a "])
@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("loki-tenant-id", LOKI),
        ("loki-bearer-token", LOKI),
        ("http-bearer-token", {"http-url": "http://h"}),
        ("splunk-token", SPLUNK),
    ],
)
def test_a_header_holds_no_control_characters(name: str, others: dict[str, str], text: str) -> None:
    with pytest.raises(OptionError, match=f"'{name}'.*control character") as caught:
        validate({**others, name: text}, schema=schema())
    assert "X-Evil" not in str(caught.value)


@pytest.mark.parametrize(("name", "others"), [("loki-bearer-token", LOKI), ("splunk-token", SPLUNK)])
def test_nor_do_secrets_from_files_first_or_later(name: str, others: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("t0ken\nt0ken\n")
    options = {**others, f"{name}-file": str(file)}
    with pytest.raises(OptionError, match="control character") as caught:
        validate(options, schema=schema())
    assert "t0ken" not in str(caught.value)
    (choice,) = validate_leniently(options, {}, schema())[0].sinks
    assert any("control character" in fault for fault in choice.faults), "the sink is misconfigured"
    file.write_text("t0ken\n")
    assert validate(options, schema=schema()).sinks


@pytest.mark.parametrize("name", ["a\0b", "a b", ".a", "a" * 64, "a..b", "ü\n"])
def test_a_server_name_is_one(name: str) -> None:
    with pytest.raises(OptionError, match="is not the name of a host"):
        sink_of(loki_url="https://h", loki_tls_server_name=name)
    assert sink_of(loki_url="https://h", loki_tls_server_name="logs.example")


@pytest.fixture
def echo() -> Iterator[HTTPServer]:
    """A server, or a proxy, that answers with the headers that it got, in many forms."""
    with http_server() as server:

        def answer(request: Request) -> Response:
            given = dict(request.headers)
            values = [
                value for name, value in given.items() if name in ("Authorization", "Proxy-Authorization", "X-Key")
            ]
            alone = [value.partition(" ")[2] for value in values]
            forms = [form for value in (*values, *alone) for form in (value, json.dumps(value), quote(value, safe=""))]
            forms += [json.dumps(value).replace("/", "\\/") for value in (*values, *alone)]
            return Response("\n".join(forms), 500)

        answer_by(server, answer)
        yield server


@pytest.mark.parametrize("form", ["user and password", "of the url", "token", "header", "proxy"])
def test_an_authorization_that_comes_back_is_masked_also_without_its_scheme(echo: HTTPServer, form: str) -> None:
    url = f"http://127.0.0.1:{echo.port}"
    with_password = url.replace("//", f"//user:{quote(PASSWORD, safe='')}@")
    key = "Basic " + base64.b64encode(b"user:" + b"k" * 41).decode()
    sink = {
        "user and password": lambda: sink_of(http_url=url, http_username="user", http_password=PASSWORD),
        "of the url": lambda: sink_of(http_url=with_password),
        "token": lambda: sink_of(http_url=url, http_bearer_token="b3arer/" + "t" * 20),
        "header": lambda: sink_of(http_url=url, http_headers=f"X-Key={key}"),
        "proxy": lambda: sink_of(http_url="http://logs.example", http_proxy_url=with_password),
    }[form]()
    text = str(failure_of(sink, b"x"))
    assert "***" in text
    encoded = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, encoded, quote(encoded, safe=""), "b3arer", key.partition(" ")[2]):
        assert secret not in text


def test_a_header_that_cannot_be_sent_is_a_misconfiguration(echo: HTTPServer) -> None:
    """Whatever is not found out before."""
    sink = sink_of(http_url=f"http://127.0.0.1:{echo.port}")
    sink._client._headers["X"] = "a\nb"  # type: ignore[attr-defined]

    async def send() -> None:
        try:
            await sink.send(b"x")
        finally:
            await sink.close()

    with pytest.raises(MisconfiguredError, match="a header, cannot be used"):
        asyncio.run(send())
