"""The sink against ClickHouse itself, which runs in this process."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, Sink
from plugin.sinks.clickhouse.columns import FIELDS, create_table, parse_columns
from tests.sinks.clickhouse.server import ClickHouse, clickhouse
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.http_servers import deliver, failure_of
from tests.sinks.killed_delivery import Backlog

MAPPING = ",".join(f"c_{field}={field}" for field in FIELDS)


@pytest.fixture(scope="module")
def shared() -> Iterator[ClickHouse]:
    with clickhouse() as server:
        yield server


@pytest.fixture
def server(shared: ClickHouse) -> Iterator[ClickHouse]:
    """A server with an empty table otel_logs, which keeps lines however old they are."""
    shared.run("DROP TABLE IF EXISTS otel_logs")
    shared.run(create_table("otel_logs"))
    shared.run("ALTER TABLE otel_logs REMOVE TTL")
    yield shared
    shared.user, shared.lose, shared.behind_200 = ("default", ""), 0, False


def send(sink: Sink[Any], *batches: Sequence[Record]) -> None:
    async def run() -> None:
        try:
            for batch in batches:
                await sink.send(sink.encode(batch))
        finally:
            await sink.close()

    asyncio.run(run())


def bodies(server: ClickHouse, where: str = "1") -> list[str]:
    return [row["Body"] for row in server.rows(f"SELECT Body FROM otel_logs WHERE {where} ORDER BY Timestamp")]  # noqa: S608


@pytest.mark.usefixtures("server")
def test_clickhouse_blocks_no_signal_for_what_other_tests_start() -> None:
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_a_row_of_clickstack_s_table(server: ClickHouse, compression: str) -> None:
    sink = sink_of(clickhouse_url=server.url, clickhouse_compression=compression)
    (record,) = records_of(sink, [b'\xff say "\x00"'], origin_of(attributes={"env": "prod"}), source="stderr")
    record.severity = 17
    record.fields = {"user": {"id": 7}, "ok": True, "level": "error"}
    send(sink, [record])
    ((row),) = server.rows("SELECT *, toUnixTimestamp64Nano(Timestamp) AS nano FROM otel_logs")
    assert int(row.pop("nano")) == TIME
    assert row["Body"] == '\ufffd say "\x00"'
    assert (row["SeverityNumber"], row["SeverityText"], row["ServiceName"]) == (17, "ERROR", "web")
    assert row["LogAttributes"] == {
        "log.iostream": "stderr",
        "log.record.uid": f"{INFO.id}-{TIME:x}-0",
        "user": '{"id":7}',
        "ok": "true",
        "level": "error",
    }
    assert row["ResourceAttributes"] == {
        "service.name": "web",
        "container.id": INFO.container_id,
        "container.name": "web",
        "container.runtime": "docker",
        "container.image.id": INFO.container_image_id,
        "container.image.name": "nginx",
        "container.image.tags": '["1.27"]',
        "host.name": "node1",
        "env": "prod",
    }
    assert row["TimestampTime"].startswith("2023-11-14 ")


def test_a_table_and_columns_of_one_s_own(server: ClickHouse) -> None:
    server.run("DROP TABLE IF EXISTS lines")
    server.run(create_table("lines", parse_columns(MAPPING)))
    sink = sink_of(clickhouse_url=server.url, clickhouse_table="default.lines", clickhouse_columns=MAPPING, tag="t")
    plain, shaped = records_of(sink, [b"a", b"b"], origin_of(tag="t"))
    shaped.fields, shaped.severity = {"n": 1}, 9
    send(sink, [plain, shaped])
    first, second = server.rows("SELECT *, toUnixTimestamp64Nano(c_timestamp) AS nano FROM lines ORDER BY c_offset")
    assert [int(first.pop("nano")), int(second.pop("nano"))] == [TIME, TIME + 1000]
    for row in (first, second):
        del row["c_timestamp"], row["c_resource"]
    assert first == {
        "c_line": "a",
        "c_source": "stdout",
        "c_severity": 0,
        "c_severity_text": "",
        "c_service": "web",
        "c_container_id": INFO.container_id,
        "c_container_name": "web",
        "c_image": "nginx:1.27",
        "c_host": "node1",
        "c_tag": "t",
        "c_offset": first["c_offset"],
        "c_id": f"{INFO.id}-{TIME:x}-0",
        "c_attributes": {"log.iostream": "stdout", "log.record.uid": f"{INFO.id}-{TIME:x}-0"},
        "c_fields": "",
    }
    assert int(first["c_offset"]) == 0
    assert (second["c_fields"], second["c_severity"], second["c_severity_text"]) == ('{"n":1}', 9, "INFO")


@pytest.mark.parametrize("columns", ["line=line", "t=timestamp", "t=timestamp,line=line,name=container_name"])
def test_a_table_that_is_printed_takes_rows(server: ClickHouse, columns: str) -> None:
    server.run("DROP TABLE IF EXISTS small")
    server.run(create_table("small", parse_columns(columns)))
    sink = sink_of(clickhouse_url=server.url, clickhouse_table="small", clickhouse_columns=columns)
    deliver(sink, b"a", b"b")
    assert server.rows("SELECT count() AS n FROM small")[0]["n"] in (2, "2")


def test_a_batch_that_comes_again_is_there_once(server: ClickHouse) -> None:
    sink = sink_of(clickhouse_url=server.url)
    batch = records_of(sink, [b"same", b"same", b"same"])
    payload = sink.encode(batch)
    other = [Record(record.prepared, "stdout", record.time_nano, record.line, record.offset + 1) for record in batch]

    async def run() -> None:
        for one in (payload, payload, sink.encode(batch), sink.encode(other), sink.encode(batch[:2])):
            await sink.send(one)
        await sink.close()

    asyncio.run(run())
    assert bodies(server) == ["same"] * 8


def test_batches_of_the_same_offsets_of_two_containers_are_both_there(server: ClickHouse) -> None:
    sink = sink_of(clickhouse_url=server.url, clickhouse_columns="Body=line")
    for info in (INFO, type(INFO)(container_id="ab" * 32, container_name="/web")):
        send(sink, records_of(sink, [b"same"], origin_of(info)))
    assert bodies(server) == ["same", "same"]


def test_an_insert_whose_answer_was_lost_is_there_once(server: ClickHouse) -> None:
    sink = sink_of(clickhouse_url=server.url)
    server.lose = 1
    payload = sink.encode(records_of(sink, [b"a", b"b"]))

    async def run() -> None:
        with pytest.raises(RetryError):
            await sink.send(payload)
        await sink.send(payload)
        await sink.close()

    asyncio.run(run())
    assert bodies(server) == ["a", "b"]


@pytest.mark.parametrize("behind_200", [False, True], ids=["by status", "behind 200"])
@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"clickhouse_table": "nowhere"}, "peavey options --create-table"),
        ({"clickhouse_table": "no.where"}, "create the database"),
        ({"clickhouse_columns": "Body=line,Nope=tag"}, "check clickhouse-columns"),
    ],
    ids=["no table", "no database", "no column"],
)
def test_what_somebody_must_set_right(
    server: ClickHouse, options: dict[str, str], advice: str, behind_200: bool
) -> None:
    server.behind_200 = behind_200
    failure = failure_of(sink_of(clickhouse_url=server.url, **options), b"a")
    assert isinstance(failure, MisconfiguredError)
    assert advice in str(failure)


def test_a_wrong_password(server: ClickHouse) -> None:
    server.user = ("peavey", "right")
    url = server.url.replace("//", "//peavey:wrong-one@")
    failure = failure_of(sink_of(clickhouse_url=url), b"a")
    assert isinstance(failure, MisconfiguredError)
    assert "check user and password" in str(failure)
    assert "wrong-one" not in str(failure)
    deliver(sink_of(clickhouse_url=server.url.replace("//", "//peavey:right@")), b"a")
    assert bodies(server) == ["a"]


@pytest.mark.parametrize("behind_200", [False, True], ids=["by status", "behind 200"])
def test_a_row_that_the_table_refuses_is_refused_for_good(server: ClickHouse, behind_200: bool) -> None:
    server.run("DROP TABLE IF EXISTS numbers")
    server.run("CREATE TABLE numbers (n Int64) ENGINE = MergeTree ORDER BY n")
    server.behind_200 = behind_200
    sink = sink_of(clickhouse_url=server.url, clickhouse_table="numbers", clickhouse_columns="n=line")
    assert isinstance(failure_of(sink, b"17", b"no number"), RejectError)
    assert server.rows("SELECT n FROM numbers") == []


def test_delivery_that_is_killed_repeats_and_loses_nothing(server: ClickHouse, tmp_path: Path) -> None:
    options = {"clickhouse-url": server.url, "batch-size": "8k", "batch-wait": "10ms"}
    backlog = Backlog(tmp_path, "clickhouse", options, containers=3, lines=400)
    for dies_at in (1, 2, 5):
        backlog.deliver_until_killed(dies_at)
    backlog.deliver()
    for name in backlog.names:
        found = bodies(server, f"ResourceAttributes['container.name'] = '{name}'")
        assert found == [line.decode() for line in backlog.lines]
    assert "records again as they were noted" in backlog.log


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"clickhouse_columns": "a=lime"}, "did you mean 'line'"),
        ({"clickhouse_columns": "a"}, "is not a column and what goes into it (example: time=timestamp)"),
        ({"clickhouse_columns": "a=line,a=tag"}, "the column 'a' is there twice"),
        ({"clickhouse_columns": " ,"}, "there is no column (example: "),
        ({"clickhouse_table": "a.b.c"}, "is not the name of a table (examples: "),
        ({"clickhouse_table": "a`b"}, "is not the name of a table (examples: "),
        ({"clickhouse_service_name": "{{.Nome}}"}, "clickhouse-service-name"),
    ],
    ids=["field", "no field", "twice", "none", "dots", "quote", "template"],
)
def test_options_that_are_refused(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError) as caught:
        sink_of(clickhouse_url="http://127.0.0.1:8123", **options)
    assert fault in str(caught.value)
