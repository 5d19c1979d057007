"""What transforms make of lines on their way to a sink: each alone, and a chain of several."""

import pytest

from bench.micro.per_line import LINES, PerLine
from bench.shaping import CASES, SIZE, Case
from plugin.config.options import validate
from plugin.memory import keep_memory
from plugin.records.position import Position
from plugin.records.record import Record
from plugin.sinks.registry import make_sink, schema
from plugin.transforms.chain import make_stages
from plugin.transforms.pipeline import Pipeline
from tests.sinks.factories import INFO, TIME, origin_of

_FRAME = SIZE + 20
_STEP = 1_000_000
"""Nanoseconds between two lines."""


@pytest.fixture(scope="module", autouse=True)
def _memory() -> None:
    """Keep memory as delivery does."""
    keep_memory()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_shape(per_line: PerLine, case: Case) -> None:
    given = {**({} if "loki-url" in case.log_opts else {"http-url": "http://127.0.0.1"}), **case.log_opts}
    (choice,) = validate(given, schema=schema()).sinks
    prepared = make_sink(choice).prepare(origin_of())
    lines = [case.line(number) for number in range(LINES)]

    def fed() -> tuple[Pipeline, list[Record]]:
        pipeline = Pipeline(make_stages(choice.transforms, INFO, choice.options.read_stages()), Position(0, 0))
        records = []
        for number, line in enumerate(lines):
            end = (number + 1) * _FRAME
            records.append(Record(prepared, "stdout", TIME + _STEP * number, line, number * _FRAME, end, end))
        return pipeline, records

    assert per_line.each_time(case.name, fed, lambda given: given[0].feed(given[1])) is not None
