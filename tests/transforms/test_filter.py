"""Filters keep and drop by line and by level; what they drop is counted."""

from plugin.records.position import Position
from plugin.transforms.base import Reason
from plugin.transforms.pipeline import Pipeline
from tests.transforms.lines import lines_of, records, shaped, stages

LINES = ["GET /health 200", "GET /buy 200", "GET /buy 500", "POST /health 200"]


def test_only_what_is_included_is_sent() -> None:
    assert lines_of(shaped({"include": "/buy"}, records(LINES))) == LINES[1:3]
    assert lines_of(shaped({"include.1": "POST", "include.2": "500$"}, records(LINES))) == LINES[2:]


def test_what_is_excluded_is_not_sent() -> None:
    assert lines_of(shaped({"exclude": "GET /health"}, records(LINES))) == LINES[1:]
    assert lines_of(shaped({"exclude": "^GET /health", "exclude.2": "(?i)^post"}, records(LINES))) == LINES[1:3]
    assert lines_of(shaped({"include": "GET", "exclude": "500"}, records(LINES))) == LINES[:2]


def test_what_is_below_a_level_is_not_sent() -> None:
    lines = ["DEBUG a", "INFO b", "WARN c", "d"]

    assert lines_of(shaped({"min-level": "warn"}, records(lines))) == ["WARN c"]
    assert lines_of(shaped({"min-level": "INFO"}, records(lines))) == lines[1:]
    assert lines_of(shaped({"min-level": "error"}, records(lines, "stderr"))) == ["d"]


def test_the_line_is_what_was_parsed_of_it() -> None:
    assert lines_of(shaped({"parse": "json", "exclude": "secret"}, records(['{"msg":"a","secret":1}']))) == ["a"]


def test_what_is_dropped_is_counted_by_reason() -> None:
    given = {"include": "GET", "exclude": "/health", "min-level": "error"}
    pipeline = Pipeline(stages(given), Position(0, 0))
    pipeline.feed(records(LINES))

    assert pipeline.dropped == {
        Reason("filter", "include"): 1,
        Reason("filter", "exclude"): 1,
        Reason("filter", "min-level"): 2,
    }
