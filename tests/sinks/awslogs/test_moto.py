"""The sink against moto's server, read back by botocore's client."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from plugin.sinks.base import MisconfiguredError, Record, RejectError, Sink
from tests.sinks.factories import origin_of, records_of, sink_of
from tests.testbed.aws import KEY, REGION, SECRET_KEY, MotoServer


@pytest.fixture
def group(moto: MotoServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a group of the test's own."""
    name: str = request.node.name.replace("[", "/").strip("]")
    yield name
    client = moto.client("logs")
    if any(found["logGroupName"] == name for found in client.describe_log_groups()["logGroups"]):
        client.delete_log_group(logGroupName=name)


def sink_for(moto: MotoServer, group: str, **options: str) -> Sink[Any]:
    return sink_of(
        awslogs_endpoint=moto.url,
        awslogs_region=REGION,
        awslogs_group=group,
        awslogs_access_key_id=KEY,
        awslogs_secret_access_key=SECRET_KEY,
        **options,
    )


def recent(sink: Sink[Any], *lines: bytes, tag: str = "web", age: float = 60.0) -> list[Record]:
    """Make records of these days: moto goes by the clock."""
    return records_of(sink, lines, origin_of(tag=tag), time=int((time.time() - age) * 1e9))


def send(sink: Sink[Any], *batches: list[Record]) -> None:
    async def send_all() -> None:
        for batch in batches:
            await sink.send(sink.encode(batch))
        await sink.close()

    asyncio.run(send_all())


def messages(moto: MotoServer, group: str, stream: str) -> list[str]:
    client = moto.client("logs")
    events = client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, limit=10_000)["events"]
    return [event["message"] for event in events]


def test_group_and_streams_are_created_and_have_the_lines(moto: MotoServer, group: str) -> None:
    sink = sink_for(moto, group, awslogs_create_group="true")
    web, db = recent(sink, *(b"line %d" % number for number in range(100))), recent(sink, b"other", tag="db")

    send(sink, [*web, *db], recent(sink, b"later", age=1))

    assert messages(moto, group, "web") == [*(f"line {number}" for number in range(100)), "later"]
    assert messages(moto, group, "db") == ["other"]


def test_a_group_that_is_not_there_is_misconfigured(moto: MotoServer, group: str) -> None:
    sink = sink_for(moto, group)
    with pytest.raises(MisconfiguredError, match="give awslogs-create-group=true"):
        send(sink, recent(sink, b"x"))


def test_what_moto_refuses_is_refused(moto: MotoServer, group: str) -> None:
    sink = sink_for(moto, group, awslogs_create_group="true")
    too_new = recent(sink, b"from the future", age=-3 * 3600)
    with pytest.raises(RejectError, match="more than two hours in the future"):
        send(sink, [*recent(sink, b"now"), *too_new])
    assert messages(moto, group, "web") == ["now"]
