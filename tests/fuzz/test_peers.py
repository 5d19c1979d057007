"""What destinations, proxies and addresses are made of: whatever they say, it is delivered, or a `SinkError`."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from plugin.config.options import validate
from plugin.config.secrets import Secret
from plugin.sinks.awslogs import answers as awslogs
from plugin.sinks.base import SinkError
from plugin.sinks.fluentd.protocol import AnswerError, Answers, Credentials, ping, pong_fault, read_ack, read_helo
from plugin.sinks.registry import make_sink, schema
from plugin.sinks.s3.answers import completion_fault, judge
from plugin.sinks.transport.address import parse_target
from plugin.sinks.transport.http.proxy import is_excepted
from plugin.sinks.transport.http.responses import failure, retry_after
from plugin.sinks.transport.http.url import parse_url
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import JSON, NESTS, NUMBERS, TEXTS, changed
from tests.sinks.factories import records_of

DATES = st.builds(
    "{} {} {} {} {}:{}:{} {}".format,
    *(
        st.sampled_from(words)
        for words in (["Wed,", "x", ""], ["21", "0", "99", "+1"], ["Oct", "Xxx"], ["2015", "0", "99999"])
    ),
    *(st.sampled_from(["07", "24", "-1", "99999999999"]) for _ in range(3)),
    st.sampled_from(["GMT", "+9999", "-9999", "+999999999999", "", "☃"]),
)
HEADERS = st.dictionaries(st.sampled_from(["Retry-After", "Date", "Content-Type", "Location"]), TEXTS | DATES).map(
    CIMultiDict
)
STATUSES = st.sampled_from(
    [0, 100, 101, 199, 200, 204, 299, 301, 400, 401, 413, 429, 500, 503, 599, 600, 999]
) | st.integers(0, 999)
BODIES = st.binary(max_size=60) | JSON.map(lambda value: repr(value).encode(errors="replace")) | NESTS


@fuzzed()
@given(STATUSES, HEADERS, BODIES, st.lists(TEXTS.map(Secret), max_size=2))
def test_an_answer_of_http(status: int, headers: CIMultiDict[str], body: bytes, secrets: list[Secret]) -> None:
    fault = failure("http://a", status, headers, body, secrets)
    assert (fault is None) == (200 <= status < 300)
    assert fault is None or len(str(fault)) < 2_000


CODES = st.sampled_from(["ThrottlingException", "x#ExpiredTokenException", "ResourceNotFoundException:", "", "\ud800"])
KEYS = ("__type", "message", "expectedSequenceToken")
REJECTED = st.dictionaries(
    st.sampled_from(["expiredLogEventEndIndex", "tooOldLogEventEndIndex", "tooNewLogEventStartIndex"]), JSON | NUMBERS
)
ERROR = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>RequestTimeTooSkewed</Code><Message>a &amp; b</Message>'
    b"<Region>eu-west-1</Region><ServerTime>2023-11-14T22:13:20Z</ServerTime><UploadId>x</UploadId></Error>"
)
CODES_OF_S3 = [
    "PermanentRedirect",
    "ExpiredToken",
    "SlowDown",
    "KMS.X",
    "NotImplemented",
    "EntityTooLarge",
    "AccessDenied",
    "",
]
ANSWERS_OF_S3 = (
    BODIES
    | changed(ERROR)
    | st.sampled_from(CODES_OF_S3).map(lambda code: ERROR.replace(b"RequestTimeTooSkewed", code.encode()))
    | st.tuples(st.sampled_from(["ServerTime", "Region", "Code", "UploadId"]), TEXTS | DATES).map(
        lambda pair: b"%s<%s>%s</%s>" % (ERROR[:60], *(text.encode(errors="replace") for text in (*pair, pair[0])))
    )
)


@fuzzed()
@given(
    STATUSES,
    HEADERS,
    BODIES | st.builds(lambda *members: json.dumps(dict(zip(KEYS, members, strict=True))).encode(), CODES, TEXTS, JSON),
    st.sampled_from(["PutLogEvents", "CreateLogStream"]),
)
def test_an_error_of_awslogs(status: int, headers: CIMultiDict[str], body: bytes, action: str) -> None:
    fault = awslogs.judge("http://a", status, headers, body)
    assert (fault is None) == (200 <= status < 300)
    if isinstance(fault, awslogs.ApiError):
        fault = fault.meaning("http://a", action)
    assert fault is None or len(str(fault)) < 2_000
    with contextlib.suppress(SinkError):
        list(awslogs.refused_events(awslogs.read_answer("http://a", body), 3))


@fuzzed()
@given(REJECTED | JSON, st.integers(1, 5))
@example({"tooNewLogEventStartIndex": True}, 1)
def test_what_awslogs_has_refused(rejected: Any, count: int) -> None:
    for run in awslogs.refused_events({"rejectedLogEventsInfo": rejected}, count):
        assert 0 <= run.start < run.end <= count


@fuzzed()
@given(STATUSES, HEADERS, ANSWERS_OF_S3, st.lists(TEXTS.map(Secret), max_size=2))
@example(403, CIMultiDict(), ERROR.replace(b"2023-11-14T22:13:20Z", b"0001-01-01T00:00:00"), [])
def test_an_answer_of_s3(status: int, headers: CIMultiDict[str], body: bytes, secrets: list[Secret]) -> None:
    fault = judge("http://a", status, headers, body, secrets, 0.0)
    assert (fault is None) == (200 <= status < 300 or status == 412)
    behind = completion_fault("http://a", headers, body, secrets, 0.0)
    assert all(len(str(one)) < 2_000 for one in (fault, behind) if one)


@fuzzed()
@given(TEXTS | DATES, TEXTS | DATES)
@example("Wed, 21 Oct 2015 07:28:00 +9999", "")
@example("Wed, 21 Oct 0001 00:00:00 +2300", "Wed, 21 Oct 9999 07:28:00 -2300")
def test_retry_after(later: str, date: str) -> None:
    seconds = retry_after({"Retry-After": later, "Date": date})
    assert seconds is None or 0 <= seconds <= 3600


@fuzzed()
@given(TEXTS | st.text("htps:/@[]?#%.0123456789abc☃' ", max_size=30).map("https://{}".format))
@example("https://[..]'9☃@")
@example("http://[::1%25]/")
@example("http://a:99999999999999999999")
@example("http://ﬀ.例え/%zz")
def test_a_url(text: str) -> None:
    with contextlib.suppress(ValueError):
        url = parse_url(text)
        assert (str(url), repr(url), url.site, url.is_loopback) is not None
        assert all(isinstance(secret, Secret) for secret in url.secrets)
        assert url.authorization is None or url.authorization.reveal()
        url.with_default_path("/loki/api/v1/push")


@fuzzed()
@given(st.sampled_from(["tcp", "udp", "unix", "tcp+tls", ""]), TEXTS | st.text(":[]/@%0123456789abc.☃", max_size=20))
def test_an_address(scheme: str, rest: str) -> None:
    for text in (f"{scheme}://{rest}", rest):
        with contextlib.suppress(ValueError):
            parse_target(text, ("tcp", "udp", "unix"), 514)


@fuzzed()
@given(TEXTS, st.none() | NUMBERS, TEXTS | st.text(",. */:[]0123456789ab", max_size=30))
@example("127.0.0.1", 1, "[:" + "9" * 5_000)
@example("127.0.0.1", 1, "a:" + "9" * 5_000)
def test_no_proxy(host: str, port: int | None, exceptions: str) -> None:
    assert is_excepted(host, port, exceptions) in (True, False)


class _Pairs(list[tuple[Any, Any]]):
    """A map whose keys may be anything."""


MESSAGES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.binary(max_size=8)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.tuples(inner, inner), max_size=3).map(_Pairs)
        | st.sampled_from([[b"HELO"], [b"HELO", {b"nonce": b"x"}], [b"PONG", True, b"", b"a", b"b"], {b"ack": b"x"}])
    ),
    max_leaves=6,
)


def packed(value: Any) -> bytes:
    if isinstance(value, _Pairs):
        return bytes([0x80 | len(value)]) + b"".join(packed(one) for pair in value for one in pair)
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(packed, value))
    content: bytes = msgpack.packb(value)
    return content


ANSWERS = MESSAGES.map(packed) | MESSAGES.map(packed).flatmap(changed) | st.binary(max_size=40)


@fuzzed(2)
@given(ANSWERS, st.integers(1, 40))
@example(b"\x81\x90\x01", 1)
@example(b"\x81\x80\x01", 40)
@example(b"\xd6\xff\xff\xff\xff\xff", 40)
def test_an_answer_of_forward(content: bytes, size: int) -> None:
    credentials = Credentials("host", Secret("key"), "user", Secret("password"))
    answers = Answers()
    with contextlib.suppress(AnswerError):
        for start in range(0, len(content), size):
            for answer in answers.feed(content[start : start + size]):
                read_ack(answer)
                helo = read_helo(answer)
                if helo is not None:
                    ping(helo, credentials, "salt")
                    pong_fault(answer, helo, credentials, "salt")


def status_lines() -> st.SearchStrategy[bytes]:
    """Answers of HTTP that may be none: of any status, with any length, or cut off."""
    made = st.builds(
        lambda version, status, length, header, body: (
            b"%s %s X\r\nContent-Length: %s\r\n%s\r\n\r\n%s" % (version, status, length, header, body)
        ),
        st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"HTTP/1.1 "]),
        st.sampled_from(
            [b"000", b"101", b"100", b"199", b"200", b"204", b"301", b"400", b"429", b"503", b"999", b"9999", b"-1"]
        ),
        st.sampled_from([b"0", b"2", b"-1", b"99999999999999999999", b"x", b""]),
        st.sampled_from(
            [
                b"X: y",
                b"Retry-After: Wed, 21 Oct 2015 07:28:00 +9999",
                b"Transfer-Encoding: chunked",
                b"Content-Encoding: gzip",
                b"Set-Cookie: =;;",
                b"Location: http://[",
                b"Content-Type: \xff; charset=nope",
                b"Connection: upgrade",
            ]
        ),
        BODIES,
    )
    return made | made.flatmap(changed) | st.binary(max_size=60)


def exchange(protocol: str, answer: bytes) -> None:
    """Send a record to a server that gives this answer, to a request or at once where it greets, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if protocol != GREETS:
                await reader.read(1 << 16)
            writer.write(answer)
            await writer.drain()
            writer.close()

    async def talk() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
        async with server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            (choice,) = validate(OPTIONS[protocol](address), {}, schema()).sinks
            sink = make_sink(choice)
            with contextlib.suppress(SinkError):
                async with asyncio.timeout(60):
                    await sink.send(sink.encode(records_of(sink, [b"a line"])))
            await sink.close()

    asyncio.run(talk())


GREETS = "fluentd handshake"
OPTIONS: dict[str, Callable[[str], dict[str, str]]] = {
    "http": lambda address: {"http-url": f"http://{address}"},
    "loki": lambda address: {"loki-url": f"http://{address}"},
    "s3": lambda address: {
        "s3-bucket": "logs",
        "s3-endpoint": f"http://{address}",
        "s3-access-key-id": "key",
        "s3-secret-access-key": "secret",
    },
    "splunk": lambda address: {
        "splunk-url": f"http://{address}",
        "splunk-token": "token",
        "splunk-index-acknowledgment": "true",
    },
    "awslogs": lambda address: {
        "awslogs-endpoint": f"http://{address}",
        "awslogs-region": "eu-central-1",
        "awslogs-group": "shop",
        "awslogs-access-key-id": "key",
        "awslogs-secret-access-key": "secret",
    },
    "fluentd": lambda address: {"fluentd-address": f"tcp://{address}", "fluentd-request-ack": "true"},
    "fluentd handshake": lambda address: {"fluentd-address": f"tcp://{address}", "fluentd-shared-key": "key"},
}


@pytest.mark.parametrize("protocol", OPTIONS)
@fuzzed(0.2)
@given(data=st.data())
def test_a_server(protocol: str, data: st.DataObject) -> None:
    exchange(protocol, data.draw(ANSWERS if "fluentd" in protocol else status_lines()))


@pytest.mark.parametrize("protocol", OPTIONS)
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 X\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 +9999\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 400 X\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
        b"\x81\x90\x01",
    ],
    ids=["101", "000", "date", "400 nest", "200 nest", "list as key"],
)
def test_a_server_that_is_odd(protocol: str, answer: bytes) -> None:
    exchange(protocol, answer)
