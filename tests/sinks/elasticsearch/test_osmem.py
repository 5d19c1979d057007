"""The sink ``elasticsearch`` against a server that was not written here: osmem, an OpenSearch in memory."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sinks.factories import records_of, sink_of
from tests.sinks.http_servers import deliver, failure_of

osmem = pytest.importorskip("osmem_server", reason="there is no osmem-server for this machine")

LINES = [b"one", b"", b'say "hi"', b"\xff\x00", "žluťoučký kůň 🐎".encode(), b"x" * 100_000]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = osmem.OsmemServer.start(japanese=False)
    yield server.url
    server.close()


def ask(url: str, body: bytes | None = None) -> dict[str, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        content: dict[str, Any] = json.loads(answer.read())
        return content


def stored(url: str, index: str) -> list[dict[str, Any]]:
    """Return the documents of an index, in the order of their times."""
    query = {"size": 100, "sort": [{"@timestamp": "asc"}, {"event.sequence": "asc"}]}
    hits = ask(f"{url}/{index}/_search", json.dumps(query).encode())["hits"]["hits"]
    return [hit["_source"] for hit in hits]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_each_line_is_stored_once_however_often_it_is_sent(url: str, compression: str) -> None:
    index = f"docker-{compression}"
    for count in (3, 6, 6):
        sink = sink_of(elasticsearch_url=url, elasticsearch_index=index, elasticsearch_compression=compression)
        deliver(sink, *LINES[:count])
    documents = stored(url, index)
    assert [document["message"] for document in documents] == [line.decode("utf-8", "replace") for line in LINES]
    assert documents[0]["container"]["name"] == "web"


def test_what_it_refuses_is_told(url: str) -> None:
    mapping = {"mappings": {"properties": {"message": {"type": "long"}}}}
    request = urllib.request.Request(  # noqa: S310
        f"{url}/numbers", json.dumps(mapping).encode(), {"Content-Type": "application/json"}, method="PUT"
    )
    urllib.request.urlopen(request).close()  # noqa: S310
    sink = sink_of(elasticsearch_url=url, elasticsearch_index="numbers")
    fault = failure_of(sink, b"1", b"not a number", b"2")
    assert type(fault).__name__ == "RejectError"
    assert " answered 400 " in str(fault)
    assert sorted(document["message"] for document in stored(url, "numbers")) == ["1", "2"]


def test_all_that_the_sink_asks_for_is_answered(url: str) -> None:
    sink = sink_of(elasticsearch_url=url, elasticsearch_index="asked")
    paths = "errors,items.*.status,items.*.error.type"
    body = sink.encode(records_of(sink, [b"x"]))
    assert ask(f"{url}/_bulk?filter_path={paths}", body) == {"errors": False, "items": [{"create": {"status": 201}}]}
