"""Whatever an option or a peer holds, no parser raises what nobody expects."""

import asyncio
import contextlib
import socket
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.config.schema import Option
from plugin.config.secrets import Secret
from plugin.errors import PeaveyError
from plugin.sinks.base import RetryError, SinkError
from plugin.sinks.fluentd import protocol
from plugin.sinks.loki.answers import judge as judge_loki
from plugin.sinks.registry import schema
from plugin.sinks.splunk.sink import judge as judge_splunk
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.proxy import is_excepted
from plugin.sinks.transport.http.responses import failure, retry_after
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.http.url import parse_url

OPTIONS = [option for sink in schema().sinks for option in sink.options if not option.is_family]
SNIPPETS = st.sampled_from(
    [
        *("https://", "http://", "tcp://", "tls://", "udp://", "unix:///", "tcp+tls://", "h", ":80", ":99999", "[::1]"),
        *(
            "[..]",
            "'9☃@",
            "@",
            "/",
            "?a=b",
            "#",
            "%",
            "%zz",
            "{{.Name}}",
            "{{",
            "}}",
            "=",
            ",",
            ", ",
            "{",
            "}",
            '{"a":',
        ),
        *(
            '{"a":"b"}',
            "[",
            "]",
            "- action: keep",
            "\n",
            "\0",
            "\t",
            "-1",
            "9" * 400,
            "1e999",
            "10m",
            "ü",
            "℀",
            "٣",
            " ",
        ),
    ]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(SNIPPETS, max_size=6).map("".join))


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
@settings(max_examples=40)
@given(TEXTS)
def test_every_option_takes_a_text_or_says_what_is_wrong(option: Option[Any], text: str) -> None:
    with contextlib.suppress(ValueError, PeaveyError):
        option.kind.parse(text)


@given(TEXTS, TEXTS, TEXTS)
def test_urls(user: str, host: str, path: str) -> None:
    for text in (f"https://{user}@{host}/{path}", f"http://{host}{path}", user + host + path):
        with contextlib.suppress(ValueError):
            url = parse_url(text)
            assert url.site in str(url.with_default_path("/push"))
            assert url.authorization is None or url.authorization.reveal()
            assert isinstance(url.is_loopback, bool)
            assert url.secrets
            is_excepted(url.target.host or "", url.target.port, host)


@pytest.mark.parametrize(
    "text",
    [
        "https://[..]'9☃@",
        "http://[..]",
        "http://☃",
        "http://a..b",
        "http://.a",
        f"http://{'a' * 64}.b",
        f"http://{'a.' * 200}",
        "http://a%00b",
        "http://a_b",
        "http://user\0:pass\r\nX: y@h/",
        "https://xn--",
        "http://[fe80::1%25eth0]",
        "http://١٢٧.٠.٠.١",
    ],
)
def test_what_is_taken_for_a_url_can_be_sent_to_or_fails_as_a_sink_does(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    try:
        url = parse_url(text)
    except ValueError:
        return

    async def send() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", find_nothing)
        monkeypatch.setattr(loop, "sock_connect", find_nothing)
        client = HttpClient(HttpSettings(url=url, timeout=1))
        try:
            await client.send(b"x")
        finally:
            await client.close()

    with pytest.raises(SinkError):
        asyncio.run(send())


HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "Date"]),
    st.one_of(
        st.text(max_size=40),
        st.builds(
            "{}, {} Nov {} 08:49:{} {}".format,
            st.sampled_from(["Sun", "x", ""]),
            st.integers(min_value=-1, max_value=40),
            st.integers(),
            st.integers(min_value=-1, max_value=70),
            st.sampled_from(["GMT", "+9999", "-9999", "+99999999999999999999", "-0000", "EST", ""]),
        ),
        st.integers().map(str),
        st.just("9" * 5000),
    ),
)


@given(HEADERS)
def test_retry_after_is_seconds_or_nothing(headers: dict[str, str]) -> None:
    seconds = retry_after(headers)
    assert seconds is None or 0 <= seconds <= 3600


@given(st.integers(min_value=0, max_value=999), HEADERS, st.binary(max_size=60) | st.just(b'{"code":[]}'))
def test_every_answer_means_something(status: int, headers: dict[str, str], body: bytes) -> None:
    for judge in (failure, judge_loki, judge_splunk):
        fault = judge("site", status, headers, body, ())
        assert (fault is None) == (200 <= status < 300)
        assert fault is None or isinstance(fault, SinkError)


@pytest.mark.parametrize("status", [0, 1, 100, 101, 199, 600, 999])
def test_what_is_no_answer_may_pass(status: int) -> None:
    assert isinstance(failure("site", status, {}, b""), RetryError)


MESSAGES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(MESSAGES)
@settings(max_examples=200)
def test_a_forward_server_may_answer_anything(message: object) -> None:
    for answer in (message, [b"HELO", {b"nonce": message, b"auth": message}], {b"ack": message}, [b"PONG", message]):
        for unpacked in protocol.Answers().feed(msgpack.packb(answer)):
            protocol.read_ack(unpacked)
            protocol.read_helo(unpacked)


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"\x81\x91\x01\x02", b"\x81\x81\x01\x02\x03", b"\xc7\x0c\xff" + b"\xff" * 12])
)
def test_a_forward_server_may_answer_any_bytes(data: bytes) -> None:
    """Among them a map whose key is a list."""
    answers = protocol.Answers()
    with contextlib.suppress(protocol.AnswerError):
        for answer in answers.feed(data):
            protocol.read_ack(answer)
            protocol.read_helo(answer)
            pong = protocol.Helo(b"", b"", keepalive=True)
            credentials = protocol.Credentials("h", Secret("k"), "", Secret(""))
            protocol.pong_fault(answer, pong, credentials, "salt")
