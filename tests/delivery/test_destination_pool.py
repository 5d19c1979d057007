"""The destinations of a worker: containers with the same options share one, which lives as long as it is used."""

import asyncio
import logging
import math

import pytest

from plugin.config.options import SinkChoice, validate
from plugin.delivery.destination_pool import Destinations
from plugin.sinks.registry import schema


def choice(**options: str) -> SinkChoice:
    written = {name.replace("_", "-"): value for name, value in options.items()}
    [chosen] = validate({"http-url": "http://127.0.0.1:9/", **written}, schema=schema()).sinks
    return chosen


def test_the_same_options_make_one_destination() -> None:
    async def main() -> None:
        destinations = Destinations()
        assert destinations.find(choice()) is None
        one = destinations.begin(choice(), tuple)
        assert destinations.begin(choice(), tuple) is one
        assert destinations.find(choice()) is one
        assert destinations.begin(choice(batch_wait="2s"), tuple) is not one
        await destinations.end(10)

    asyncio.run(main())


def test_the_shortest_wait_is_that_of_the_most_impatient_one() -> None:
    async def main() -> None:
        destinations = Destinations()
        assert destinations.shortest_wait == math.inf
        destinations.begin(choice(), tuple)
        assert destinations.shortest_wait == 1.0
        destinations.begin(choice(batch_wait="50ms"), tuple)
        assert destinations.shortest_wait == 0.05
        destinations.end_unused()
        assert destinations.shortest_wait == math.inf
        await destinations.end(10)

    asyncio.run(main())


def test_the_log_says_when_one_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        destinations = Destinations()
        destinations.begin(choice(), tuple)
        destinations.begin(choice(), tuple)
        destinations.end_unused()
        await destinations.end(10)

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "destination http@http://127.0.0.1:9: started",
        "destination http@http://127.0.0.1:9: ended, no container uses it",
    ]
