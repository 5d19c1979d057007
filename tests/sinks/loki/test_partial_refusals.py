"""Loki takes pushes in part, and answers for the last stream of one alone: no refusal may be hidden by that."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, Sink, SinkError
from plugin.sinks.loki.answers import judge
from plugin.sinks.loki.pushes import Stream, Streams, pack, unpack
from tests.sinks.factories import INFO, TIME, origin_of, sink_of
from tests.sinks.http_servers import answer_by, http_server
from tests.sinks.loki.ingester import HOUR, SECOND, Ingester
from tests.sinks.loki.payloads import decode_payload

KIB = 1024


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with http_server() as server:
        yield server


def sink_at(server: HTTPServer, ingester: Ingester, **options: str) -> Sink[Any]:
    answer_by(server, ingester.answer)
    return sink_of(loki_url=f"http://127.0.0.1:{server.port}", **options)


def lines(
    sink: Sink[Any], name: str, *contents: bytes, time: int = TIME, step: int = 1000, source: str = "stdout"
) -> list[Record]:
    """Make lines of a container, with times of their own."""
    prepared = sink.prepare(origin_of(msgspec.structs.replace(INFO, container_name=f"/{name}")))
    return [Record(prepared, source, time + step * number, line) for number, line in enumerate(contents)]


def send(sink: Sink[Any], *batches: Sequence[Record]) -> None:
    """Send batches one after the other."""

    async def run() -> None:
        try:
            for records in batches:
                await sink.send(sink.encode(records))
        finally:
            await sink.close()

    asyncio.run(run())


def stored(ingester: Ingester) -> list[str]:
    return [entry.line for entries in ingester.streams.values() for entry in entries]


def test_the_rate_limit_of_a_flooding_container_is_seen_beside_quiet_ones(server: HTTPServer) -> None:
    ingester = Ingester(burst=300 * KIB)
    sink = sink_at(server, ingester)
    send(sink, lines(sink, "flood", b"first"), lines(sink, "quiet", b"first"))
    flood = lines(sink, "flood", *[b"%d" % number + b"x" * KIB for number in range(400)], time=TIME + SECOND)
    quiet = lines(sink, "quiet", b"second", time=TIME + SECOND)
    batch = [*flood, *quiet]
    with pytest.raises(RetryError, match=r"429.*Per stream rate limit exceeded"):
        send(sink, batch)
    assert "second" in stored(ingester), "the limit of one stream does not keep the others"
    ingester.refill()
    send(sink, batch)
    assert len(stored(ingester)) == 403


@pytest.mark.parametrize("source", ["stdout", "stderr"])
def test_a_line_too_far_behind_is_refused_whatever_is_sent_with_it(server: HTTPServer, source: str) -> None:
    """It comes from another container, or late on stdout and in time on stderr."""
    ingester = Ingester()
    sink = sink_at(server, ingester)
    beside = "other" if source == "stdout" else "web"
    send(sink, lines(sink, "web", b"new"), lines(sink, beside, b"new", source=source))
    batch = [
        *lines(sink, "web", b"old", time=TIME - 3 * HOUR),
        *lines(sink, beside, b"newer", time=TIME + SECOND, source=source),
    ]
    with pytest.raises(RejectError, match="too far behind"):
        send(sink, batch)


def test_a_line_too_far_behind_within_its_batch_is_refused(server: HTTPServer) -> None:
    sink = sink_at(server, Ingester())
    send(sink, lines(sink, "web", b"new"), lines(sink, "other", b"new"))
    batch = [*lines(sink, "web", b"newer", b"old", step=-3 * HOUR, time=TIME + SECOND), *lines(sink, "other", b"x")]
    with pytest.raises(RejectError, match="too far behind"):
        send(sink, batch)


def test_a_stream_too_many_is_told(server: HTTPServer) -> None:
    ingester = Ingester(most_streams=1)
    sink = sink_at(server, ingester)
    send(sink, lines(sink, "web", b"1"))
    with pytest.raises(RetryError, match="Maximum active stream limit exceeded"):
        send(sink, [*lines(sink, "new", b"2"), *lines(sink, "web", b"3", time=TIME + SECOND)])
    assert stored(ingester) == ["1", "3"]


def test_streams_that_are_known_to_be_well_share_a_push(server: HTTPServer) -> None:
    ingester = Ingester()
    sink = sink_at(server, ingester)
    names = [f"web{number}" for number in range(20)]

    def batch(second: int) -> list[Record]:
        return [record for name in names for record in lines(sink, name, b"x", time=TIME + second * SECOND)]

    send(sink, batch(0), batch(1), batch(2))
    assert list(map(len, ingester.pushes)) == [1] * 20 + [20] * 2


def test_each_stream_has_a_push_of_its_own_where_that_is_asked_for(server: HTTPServer) -> None:
    ingester = Ingester()
    sink = sink_at(server, ingester, loki_single_streams="true")
    for second in range(3):
        batch = [r for name in ("a", "b", "c") for r in lines(sink, name, b"x", time=TIME + second * SECOND)]
        send(sink, batch)
    assert list(map(len, ingester.pushes)) == [1] * 9


def test_what_was_taken_of_a_payload_is_not_sent_again_with_the_rest(server: HTTPServer) -> None:
    ingester = Ingester(burst=10 * KIB)
    sink = sink_at(server, ingester)
    batch = [*lines(sink, "a", b"x"), *lines(sink, "flood", b"y" * 8 * KIB, b"z" * 8 * KIB), *lines(sink, "b", b"x")]
    for _ in range(2):
        with pytest.raises(RetryError):
            send(sink, batch)
    assert sorted(len(labels) for labels in ingester.pushes) == [1, 1, 1, 1], "a and b once, the flood twice"
    ingester.refill()
    with pytest.raises(RetryError):
        send(sink, lines(sink, "c", b"y" * 20 * KIB))
    assert len(stored(ingester)) == 3


def test_a_limit_of_the_tenant_holds_for_all(server: HTTPServer) -> None:
    sink = sink_of(loki_url=f"http://127.0.0.1:{server.port}")
    answer_by(server, lambda _: Response("Ingestion rate limit exceeded for user fake", 429))
    with pytest.raises(RetryError):
        send(sink, [*lines(sink, "a", b"x"), *lines(sink, "b", b"x")])
    assert len(server.log) == 1


def test_no_metadata_is_still_a_misconfiguration_in_any_of_the_pushes(server: HTTPServer) -> None:
    sink = sink_of(loki_url=f"http://127.0.0.1:{server.port}")
    answer_by(server, lambda _: Response("stream includes structured metadata, but this feature is disallowed", 400))
    with pytest.raises(MisconfiguredError, match="loki-structured-metadata=false"):
        send(sink, lines(sink, "a", b"x"))


def stream(name: bytes, second: int = 0, size: int = 100, *, falls: bool = False) -> Stream:
    return Stream(name, second, second, falls, size, b"")


def taken(known: Streams, *streams: Stream, now: float) -> list[list[bytes]]:
    """Plan pushes that are all taken."""
    pushes = []
    for push in known.plan(streams, now):
        pushes.append([stream.labels for stream in push])
        known.accepted(push, now)
    return pushes


def known_streams(*names: bytes, largest: int = 4 << 20) -> Streams:
    """Begin with streams that were taken at 0, in this order."""
    known = Streams(largest)
    for number, name in enumerate(names):
        taken(known, stream(name), now=number / 1000)
    return known


def test_the_stream_that_was_seen_longest_ago_comes_last_and_each_is_seen_within_five_minutes() -> None:
    known = known_streams(b"a", b"b", b"c")
    assert taken(known, stream(b"a"), stream(b"b"), stream(b"c"), now=1) == [[b"c", b"b", b"a"]]
    assert taken(known, stream(b"a"), stream(b"b"), stream(b"c"), now=2) == [[b"a", b"c", b"b"]]
    assert taken(known, stream(b"a"), stream(b"b"), stream(b"c"), now=300.5) == [[b"c"], [b"b", b"a"]]
    assert taken(known, stream(b"a"), stream(b"b"), now=601) == [[b"a"], [b"b"]]


@pytest.mark.parametrize(
    "risky",
    [
        stream(b"new"),
        stream(b"a", 5, falls=True),
        stream(b"a", -1),
        stream(b"a", size=257 * KIB),
    ],
)
def test_what_is_at_risk_is_sent_alone_and_first(risky: Stream) -> None:
    known = known_streams(b"a", b"b")
    assert taken(known, stream(b"b"), risky, now=1) == [[risky.labels], [b"b"]]


def test_a_stream_that_sends_much_is_alone_until_it_sends_little() -> None:
    known = known_streams(b"a", b"b")
    alone = [len(taken(known, stream(b"a", size=100 * KIB), stream(b"b"), now=1 + n / 10)) == 2 for n in range(4)]
    assert alone == [False, False, True, True]
    assert len(taken(known, stream(b"a", size=100 * KIB), stream(b"b"), now=10)) == 1


def test_after_a_refusal_each_stream_of_the_push_is_sent_alone_for_ten_minutes() -> None:
    known = known_streams(b"a", b"b")
    known.refused([stream(b"a"), stream(b"b")], 1)
    assert taken(known, stream(b"a"), stream(b"b"), now=1) == [[b"a"], [b"b"]]
    assert taken(known, stream(b"a"), stream(b"b"), now=299) == [[b"a"], [b"b"]]
    assert taken(known, stream(b"a"), stream(b"b"), now=598) == [[b"a"], [b"b"]]
    assert taken(known, stream(b"a"), stream(b"b"), now=602) == [[b"a", b"b"]]


def test_a_push_is_no_larger_than_loki_takes() -> None:
    known = known_streams(b"a", b"b", b"c", largest=250)
    assert list(map(len, taken(known, stream(b"a"), stream(b"b"), stream(b"c"), now=1))) == [2, 1]


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=200), st.binary(max_size=300)), max_size=5))
def test_a_body_is_put_together_of_streams_that_were_compressed_by_themselves(pairs: list[tuple[bytes, bytes]]) -> None:
    sink = sink_of(loki_url="http://h")
    records = [
        r for number, pair in enumerate(pairs) for r in lines(sink, f"web{number}", *(b"a" + part * 3 for part in pair))
    ]
    payload = sink.encode(records)
    assert payload == pack(unpack(payload))
    decoded = decode_payload(payload)
    assert [entry.line for entry in decoded] == [record.line.decode("utf-8", "replace") for record in records]


BATCHES = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["stdout", "stderr"]),
            st.integers(min_value=-3 * HOUR // SECOND, max_value=3 * HOUR // SECOND),
            st.sampled_from([1, 1, 1, 60 * KIB]),
        ),
        min_size=1,
        max_size=6,
    ),
    max_size=6,
)


@given(BATCHES, st.integers(min_value=1, max_value=6))
def test_a_success_means_that_all_is_taken(batches: list[list[tuple[str, str, int, int]]], most_streams: int) -> None:
    """Against any lines, and limits of which Loki's own are the highest."""
    ingester = Ingester(burst=300 * KIB, most_streams=most_streams)
    sink = sink_of(loki_url="http://h")

    class Client:
        async def send(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002
            status, text = ingester.push(body)
            if status != 204:
                raise fault_of(status, text)

        async def close(self) -> None:
            pass

    sink._client = Client()  # type: ignore[attr-defined]
    number = 0
    for batch in batches:
        records = []
        for name, source, second, size in batch:
            number += 1
            (record,) = lines(sink, name, b"%d " % number + b"x" * size, time=TIME + second * SECOND, source=source)
            records.append(record)
        try:
            send(sink, records)
        except SinkError:
            continue
        arrived = set(stored(ingester))
        assert {record.line.decode() for record in records} <= arrived


def fault_of(status: int, text: str) -> SinkError:
    fault = judge("loki", status, {}, text.encode(), ())
    assert fault is not None
    return fault
