"""The sink ``elasticsearch`` against a server with its bulk API."""

import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pytest_httpserver import HTTPServer

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, Sink, SinkError, TooLargeError
from plugin.sinks.registry import schema
from tests.sinks.elasticsearch.receiver import Store, bulk_server
from tests.sinks.factories import origin_of, records_of, sink_of
from tests.sinks.http_servers import answer, deliver, failure_of, http_server, requests_of
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.ports import CLOSED_PORT

NAMES = [f"line {number}" for number in range(8)]
LINES = [name.encode() for name in NAMES]


class Cluster:
    """A server, and one sink that sends to it batch by batch."""

    def __init__(self, receiver: Receiver, store: Store, **options: str) -> None:
        self.receiver = receiver
        self.store = store
        self.sink = sink_of(elasticsearch_url=f"http://127.0.0.1:{receiver.port}", **options)

    def send(self, records: Sequence[Record]) -> SinkError | None:
        """Send records; returns the failure, if it is one."""
        payload = self.sink.encode(records)

        async def send() -> None:
            try:
                await self.sink.send(payload)
            finally:
                await self.sink.close()

        try:
            asyncio.run(send())
        except SinkError as error:
            return error
        return None

    def records(self, lines: Sequence[bytes] = LINES) -> list[Record]:
        """Make records of the sink's."""
        return records_of(self.sink, lines)


@pytest.fixture(params=["none", "gzip"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    store = Store()
    with Receiver(bulk_server(store)) as receiver:
        yield Cluster(receiver, store, elasticsearch_compression=request.param)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        answer(server, 200, '{"errors":false}')
        yield server


def elasticsearch(server: HTTPServer, path: str = "", **options: str) -> Sink[Any]:
    return sink_of(elasticsearch_url=f"http://127.0.0.1:{server.port}{path}", **options)


def test_documents_are_stored(cluster: Cluster) -> None:
    assert cluster.send(cluster.records()) is None
    assert cluster.store.messages() == NAMES


def test_what_is_sent_again_is_stored_once(cluster: Cluster) -> None:
    records = cluster.records()
    assert cluster.send(records[:5]) is None
    assert cluster.send(records) is None
    assert cluster.store.messages() == NAMES
    assert cluster.store.conflicts == 5


def test_items_for_which_there_is_no_room_now_are_sent_again_alone(cluster: Cluster) -> None:
    records = cluster.records()
    cluster.store.busy = 3
    fault = cluster.send(records)
    assert isinstance(fault, RetryError)
    assert "429 es_rejected_execution_exception" in str(fault)
    assert cluster.send(records) is None
    assert sorted(cluster.store.messages()) == NAMES
    assert cluster.store.actions == len(records) + 3


def test_the_message_of_a_retry_stays_the_same(cluster: Cluster) -> None:
    cluster.store.busy = 7
    first, second = cluster.send(cluster.records()[:3]), cluster.send(cluster.records()[:3])
    assert str(first) == str(second)


def test_a_refused_document_is_found_without_sending_the_others_again(cluster: Cluster) -> None:
    cluster.receiver.refused = b"line 5"
    records = cluster.records()
    fault = cluster.send(records)
    assert isinstance(fault, RejectError)
    assert "400 document_parsing_exception: [1:80] failed to parse field [message]" in str(fault)
    # As delivery does it: in halves, until it is alone.
    assert cluster.send(records[:4]) is None
    assert isinstance(cluster.send(records[4:]), RejectError)
    assert cluster.send(records[6:]) is None
    assert isinstance(cluster.send(records[4:6]), RejectError)
    assert cluster.send(records[4:5]) is None
    alone = cluster.send(records[5:6])
    assert isinstance(alone, RejectError)
    assert str(alone) == str(fault)
    assert cluster.store.actions == len(records)
    assert cluster.receiver.requests == 1
    assert cluster.store.messages() == NAMES[:5] + NAMES[6:]


def test_a_refused_document_that_comes_again_is_asked_for_anew(cluster: Cluster) -> None:
    cluster.receiver.refused = b"line 5"
    records = cluster.records()
    assert isinstance(cluster.send(records[5:6]), RejectError)
    assert isinstance(cluster.send(records[5:6]), RejectError)
    cluster.receiver.refused = b""
    assert cluster.send(records[5:6]) is None
    assert cluster.store.messages() == ["line 5"]


def test_documents_refused_and_put_off_in_one_batch(cluster: Cluster) -> None:
    cluster.receiver.refused = b"line 5"
    cluster.store.busy = 1
    records = cluster.records()
    assert isinstance(cluster.send(records), RetryError)
    assert isinstance(cluster.send(records), RejectError)
    assert cluster.send(records[:5]) is None
    assert isinstance(cluster.send(records[5:6]), RejectError)
    assert cluster.send(records[6:]) is None
    assert cluster.store.actions == len(records) + 1
    assert sorted(cluster.store.messages()) == NAMES[:5] + NAMES[6:]


def test_a_batch_that_was_there_already_is_not_remembered(cluster: Cluster) -> None:
    records = cluster.records()
    for _ in range(3):
        assert cluster.send(records) is None
    assert cluster.store.actions == 3 * len(records)


def test_the_next_batch_is_sent_whatever_became_of_the_last(cluster: Cluster) -> None:
    cluster.receiver.refused = b"line 1"
    records = cluster.records()
    assert isinstance(cluster.send(records[:4]), RejectError)
    assert cluster.send(records[4:]) is None
    assert cluster.store.messages() == ["line 0", "line 2", "line 3", *NAMES[4:]]


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("denied", "403 security_exception: action [indices:data/write/bulk[s]] is unauthorized"),
        ("denied", "(the user or API key needs the privileges create_doc and auto_configure for it)"),
        ("missing", "404 index_not_found_exception: no such index [logs-docker-default] (create it, or let it be"),
    ],
)
def test_an_index_that_cannot_be_written_is_misconfigured(cluster: Cluster, attribute: str, said: str) -> None:
    getattr(cluster.store, attribute).add("logs-docker-default")
    records = cluster.records()
    fault = cluster.send(records)
    assert isinstance(fault, MisconfiguredError)
    assert said in str(fault)
    getattr(cluster.store, attribute).clear()
    assert cluster.send(records) is None
    assert cluster.store.messages() == NAMES


def test_an_index_full_of_fields_buries_no_line(cluster: Cluster) -> None:
    for number in range(1, 10):
        origin = origin_of(attributes={f"{number}-{name}": "x" for name in range(120)})
        fault = cluster.send(records_of(cluster.sink, [b"x"], origin))
    assert isinstance(fault, MisconfiguredError)
    assert "Limit of total fields" in str(fault)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, RetryError), (429, RetryError), (401, MisconfiguredError), (404, MisconfiguredError), (413, TooLargeError)],
)
def test_what_an_answer_to_the_whole_means(server: HTTPServer, status: int, kind: type[Exception]) -> None:
    answer(server, status, '{"error":{"type":"x","reason":"y"}}')
    assert type(failure_of(elasticsearch(server), b"x")) is kind


def test_how_long_to_wait(server: HTTPServer) -> None:
    answer(server, 429, Retry_After="7")
    fault = failure_of(elasticsearch(server), b"x")
    assert isinstance(fault, RetryError)
    assert fault.after == 7


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ('{"error":{"type":"illegal_argument_exception","reason":"pipeline with id [x] does not exist"}}', 1),
        ('{"error":{"type":"illegal_argument_exception","reason":"explicit index in bulk is not allowed"}}', 1),
        ('{"error":{"type":"illegal_argument_exception","reason":"Malformed action/metadata line [3]"}}', 0),
        ('{"error":"odd"}', 0),
        ("[1]", 0),
        ("odd", 0),
    ],
)
def test_a_refusal_of_the_whole_that_is_about_the_setup(server: HTTPServer, error: str, kind: int) -> None:
    answer(server, 400, error)
    assert type(failure_of(elasticsearch(server), b"x")) is (RejectError, MisconfiguredError)[kind]


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"type": "invalid_index_name_exception", "reason": "Invalid index name [A]"}, MisconfiguredError),
        (
            400,
            {"type": "illegal_argument_exception", "reason": "no write index is defined for alias [x]"},
            MisconfiguredError,
        ),
        (400, {"type": "mapper_parsing_exception", "reason": "failed to parse"}, RejectError),
        (400, {"type": "mapper_parsing_exception", "reason": None}, RejectError),
        (400, "failed", RejectError),
        (
            403,
            {"type": "cluster_block_exception", "reason": "index [x] blocked by: [FORBIDDEN/8/...]"},
            MisconfiguredError,
        ),
        (
            429,
            {"type": "cluster_block_exception", "reason": "index [x] blocked by: [TOO_MANY_REQUESTS/12]"},
            RetryError,
        ),
        (503, {"type": "unavailable_shards_exception", "reason": "primary shard is not active"}, RetryError),
        (None, {"type": "odd"}, RetryError),
    ],
)
def test_what_is_said_of_an_item(server: HTTPServer, status: int | None, error: object, kind: type[Exception]) -> None:
    answer(server, 200, json.dumps({"errors": True, "items": [{"create": {"status": status, "error": error}}]}))
    assert type(failure_of(elasticsearch(server), b"x")) is kind


@pytest.mark.parametrize("body", ["", "<html>", "{}", "[]", '{"items":7}', '{"errors":true}'])
def test_a_server_that_is_no_elasticsearch_is_misconfigured(server: HTTPServer, body: str) -> None:
    answer(server, 200, body)
    fault = failure_of(elasticsearch(server), b"x")
    assert isinstance(fault, MisconfiguredError)
    assert "check the URL (log-opt elasticsearch-url)" in str(fault)


@pytest.mark.parametrize(
    "items", ["[]", '[{"create":{"status":201}},{"create":{"status":201}}]', "[7]", '[{"create":7}]']
)
def test_an_answer_that_does_not_fit_the_question(server: HTTPServer, items: str) -> None:
    answer(server, 200, f'{{"errors":true,"items":{items}}}')
    assert isinstance(failure_of(elasticsearch(server), b"x"), RetryError)


@pytest.mark.parametrize(
    "body",
    [
        '{"took":3,"errors":false,"items":[]}',
        '{ "errors" : false }',
        '{"items":[{"create":{"status":201}}],"errors":false}',
        '{"errors":true,"items":[{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}}]}',
    ],
)
def test_answers_that_mean_yes(server: HTTPServer, body: str) -> None:
    answer(server, 200, body)
    deliver(elasticsearch(server), b"x")


@pytest.mark.parametrize(
    ("path", "options", "expected", "query"),
    [
        ("", {}, "/_bulk", {}),
        ("/", {}, "/_bulk", {}),
        ("/es/", {}, "/es/_bulk", {}),
        ("/es/_bulk", {}, "/es/_bulk", {}),
        ("/insert/elasticsearch/?_msg_field=message", {}, "/insert/elasticsearch/_bulk", {"_msg_field": ["message"]}),
        ("", {"elasticsearch_pipeline": "geo ip"}, "/_bulk", {"pipeline": ["geo ip"]}),
    ],
)
def test_where_requests_go(
    server: HTTPServer, path: str, options: dict[str, str], expected: str, query: dict[str, list[str]]
) -> None:
    deliver(elasticsearch(server, path, **options), b"x")
    (request,) = requests_of(server)
    url = urlsplit(request.full_path)
    assert (request.method, url.path) == ("POST", expected)
    found = parse_qs(url.query)
    assert found.pop("filter_path") == ["errors,items.*.status,items.*.error.type,items.*.error.reason"]
    assert found == query


def test_headers_and_authentication(server: HTTPServer) -> None:
    for options in (
        {"elasticsearch_api_key": "aWQ6a2V5", "elasticsearch_headers": "X-Key=k"},
        {"elasticsearch_api_key": "id:key"},
        {"elasticsearch_username": "Aladdin", "elasticsearch_password": "open sesame"},
        {"elasticsearch_bearer_token": "t", "elasticsearch_compression": "gzip"},
    ):
        deliver(elasticsearch(server, **options), b"x")
    requests = requests_of(server)
    assert [request.headers["Authorization"] for request in requests] == [
        "ApiKey aWQ6a2V5",
        "ApiKey aWQ6a2V5",
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Bearer t",
    ]
    assert {request.headers["Content-Type"] for request in requests} == {"application/x-ndjson"}
    assert requests[0].headers["X-Key"] == "k"
    assert [request.headers.get("Content-Encoding") for request in requests] == [None, None, None, "gzip"]
    assert gzip.decompress(requests[3].get_data()) == requests[2].get_data()


def test_a_key_that_a_server_echoes_does_not_show(server: HTTPServer) -> None:
    error = {"type": "security_exception", "reason": "key c2VjcmV0OnMzY3JldA== of secret:s3cret is revoked"}
    answer(server, 200, json.dumps({"errors": True, "items": [{"create": {"status": 403, "error": error}}]}))
    fault = failure_of(elasticsearch(server, elasticsearch_api_key="secret:s3cret"), b"x")
    assert "is revoked" in str(fault)
    assert "s3cret" not in str(fault)
    assert "c2VjcmV0" not in str(fault)


def test_nobody_listens() -> None:
    sink = sink_of(elasticsearch_url=f"http://127.0.0.1:{CLOSED_PORT}")
    assert isinstance(failure_of(sink, b"x"), RetryError)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"elasticsearch-index": "logs-docker-default"}, "needs log-opt 'elasticsearch-url'"),
        (
            {"elasticsearch-url": "s3cret"},
            "log-opt 'elasticsearch-url': not accepted (expected: an http:// or https://",
        ),
        ({"elasticsearch-url": "http://h", "elasticsearch-index": "Docker"}, "such as 'docker'"),
        ({"elasticsearch-url": "http://h", "elasticsearch-index": "{{.Nam}}"}, "Nam"),
        ({"elasticsearch-url": "http://h", "elasticsearch-compression": "zstd"}, "not one of none, gzip"),
        (
            {"elasticsearch-url": "http://h", "elasticsearch-api-key": "s3cret", "elasticsearch-username": "x"},
            "one of them",
        ),
        ({"elasticsearch-url": "http://h", "elasticsearch-indx": "x"}, "did you mean 'elasticsearch-index'?"),
    ],
)
def test_options_that_cannot_be_accepted(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError) as caught:
        validate(options, schema=schema())
    assert fault in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    options = {
        "elasticsearch-url": "http://u:s3cret@h/t0ken",
        "elasticsearch-headers": "X-Key=s3cret",
        "elasticsearch-bearer-token": "s3cret",
    }
    shown = repr(validate(options, schema=schema()))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
