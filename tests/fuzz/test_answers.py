"""What services answer, and what their options hold: whatever it is, it is read, or a `SinkError` or `ValueError`."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.secrets import Secret
from plugin.sinks.amqp.url import parse_amqp_url
from plugin.sinks.base import MisconfiguredError, SinkError
from plugin.sinks.clickhouse.answers import judge as judge_clickhouse
from plugin.sinks.elasticsearch.answers import judge as judge_elasticsearch
from plugin.sinks.elasticsearch.answers import masked, read_verdicts
from plugin.sinks.encoding.protobuf import bytes_field, read_fields
from plugin.sinks.gcplogs.answers import judge as judge_gcplogs
from plugin.sinks.gcplogs.credentials import parse_credentials
from plugin.sinks.otlp.answers import judge as judge_otlp
from plugin.sinks.otlp.answers import read_partial_success
from plugin.sinks.otlp.grpc_exporter import read_retry_delay
from plugin.sinks.redis.cluster import read_slots, redirected
from plugin.sinks.redis.replies import failure
from plugin.sinks.redis.url import parse_redis_url
from plugin.sinks.transport.dial import Address
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import NUMBERS, TEXTS, changed, changed_json

BULK = {
    "errors": True,
    "items": [
        {"create": {"status": 201}},
        {"create": {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "no"}}},
        {"create": {"status": 429, "error": {"type": "busy", "reason": "later"}}},
    ],
}
PARTIAL = {
    "error": {
        "code": 400,
        "details": [
            {
                "@type": "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors",
                "logEntryErrors": {"0": {"code": 3, "message": "no"}, "7": {"code": 7, "message": "no"}},
            }
        ],
    }
}
OF_OTLP = bytes_field(1, b"\x08\x03" + bytes_field(2, b"why"))
DELAY = bytes_field(
    3, bytes_field(1, b"type.googleapis.com/google.rpc.RetryInfo") + bytes_field(2, b"\x0a\x02\x08\x05")
)
EXCEPTION = b"Code: 27. DB::Exception: Cannot parse input: expected '\"' (CANNOT_PARSE_INPUT_ASSERTION_FAILED)"

BODIES = (
    changed_json(BULK)
    | changed_json(PARTIAL)
    | changed_json({"partialSuccess": {"rejectedLogRecords": "5", "errorMessage": "why"}})
    | changed(OF_OTLP)
    | changed(EXCEPTION)
    | st.binary(max_size=40)
)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "X-ClickHouse-Exception-Code", "Retry-After"]),
    st.sampled_from(["application/x-protobuf", "27", "9" * 5_000, "-1", "²"]) | TEXTS,
)
STATUSES = st.sampled_from([200, 204, 400, 401, 403, 404, 413, 429, 500, 503]) | st.integers(100, 999)


@pytest.mark.parametrize(
    "judge",
    [judge_clickhouse, judge_elasticsearch, judge_gcplogs, judge_otlp],
    ids=["clickhouse", "elasticsearch", "gcplogs", "otlp"],
)
@fuzzed()
@given(status=STATUSES, headers=HEADERS, body=BODIES)
def test_an_answer(judge: Any, status: int, headers: dict[str, str], body: bytes) -> None:
    fault = judge("http://a", status, headers, body, [Secret("why")])
    assert fault is None or (isinstance(fault, SinkError) and len(str(fault)) < 3_000)
    assert 200 <= status < 300 or fault is not None


@fuzzed()
@given(BODIES)
def test_verdicts(body: bytes) -> None:
    for verdict in read_verdicts(body) or ():
        assert len(masked(verdict.reason, ())) < 2_000
    refused, message = read_partial_success(body)
    assert 0 <= refused < 2**63
    assert isinstance(message, str)


@fuzzed()
@given(changed(DELAY) | changed(OF_OTLP) | st.binary(max_size=40))
def test_protobuf(content: bytes) -> None:
    delay = read_retry_delay(content)
    assert delay is None or 0 <= delay <= 3600
    with contextlib.suppress(ValueError):
        assert all(number > 0 for number, _ in read_fields(content))


SLOTS = st.recursive(
    st.none() | NUMBERS | st.binary(max_size=6) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.sampled_from([[[0, 16_383, [b"127.0.0.1", 6379, b"id"]]], [[0, 1, [None, 1]]], [[0, 2**60, [b"a", 1]]]])
    ),
    max_leaves=8,
)
AT = Address("127.0.0.1", 6379)


@fuzzed()
@given(SLOTS)
def test_the_slots_of_a_cluster(reply: Any) -> None:
    with contextlib.suppress(ValueError):
        masters = read_slots(reply, AT)
        assert all(0 <= slot < 16_384 for slot in masters)


@fuzzed()
@given(TEXTS | st.text("MOVEDASK 0123456789:[].", max_size=40) | TEXTS.map("MOVED 1 {}".format))
def test_an_error_of_redis(text: str) -> None:
    assert isinstance(failure(AT, text), SinkError)
    with contextlib.suppress(ValueError):
        assert isinstance(redirected(text, AT), Address)


@pytest.mark.parametrize("parse", [parse_amqp_url, parse_redis_url], ids=["amqp", "redis"])
@fuzzed()
@given(text=TEXTS | st.text("amqpredis:/@[]?#%.,0123456789☃' ", max_size=40).map("amqp://{}".format))
def test_a_url(parse: Any, text: str) -> None:
    for one in (text, text.replace("amqp", "redis", 1)):
        with contextlib.suppress(ValueError):
            assert parse(one).addresses


KEY = {"type": "service_account", "client_email": "a@b", "private_key": "-----BEGIN PRIVATE KEY-----\nMA==\n-----END"}


@fuzzed()
@given(changed_json(KEY | {"private_key_id": "x", "project_id": "p", "token_uri": "http://a"}))
def test_credentials_of_gcp(content: bytes) -> None:
    with contextlib.suppress(ValueError, MisconfiguredError):
        parse_credentials(content.decode(errors="replace"))
