"""Chains of stages as log-opts ask for them: their order, and that a restart changes nothing at any position."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugin.docker.info import Info
from plugin.docker.tag import TagError
from plugin.records.position import Position, position_behind
from plugin.records.record import Record
from plugin.transforms.chain import make_stages
from plugin.transforms.dedupe import REPEATED, Dedupe
from plugin.transforms.multiline import Multiline
from plugin.transforms.pipeline import Pipeline
from plugin.transforms.rate_limit import DROPPED, RateLimit
from plugin.transforms.redact import PrivateKeys
from plugin.transforms.shapes import Shapes
from tests.transforms.lines import INFO, SECOND, START, lines_of, one, options, record, records, shaped, stages

CHAINS: Mapping[str, Mapping[str, str]] = {
    "languages": {"multiline": "auto", "multiline-max-lines": "4"},
    "pattern": {"multiline-pattern": r"^\S", "multiline-max-size": "40"},
    "past": {"multiline-pattern": r"\\$", "multiline-mode": "continue_past"},
    "sample": {"sample": "0.5", "sample-all": "true"},
    "rate": {"rate-limit": "1/s"},
    "dedupe": {"dedupe": "2s"},
    "keys": {"redact": "private-key"},
    "all": {
        "multiline": "auto",
        "parse": "auto",
        "exclude": "health",
        "sample": "0.8",
        "dedupe": "1s",
        "rate-limit": "1/s",
        "rate-limit-burst": "3",
        "redact": "all",
        "add-field.name": "{{.Name}}",
    },
}

LINES = [
    "INFO plain",
    "INFO plain",
    "GET /health",
    '{"level":"error","msg":"to a@example.com"}',
    "java.lang.IllegalStateException: x",
    "\tat a.B.c(B.java:1)",
    "Caused by: java.io.IOException: y",
    "Traceback (most recent call last):",
    '  File "a.py", line 1, in f',
    "ValueError: z",
    "",
    "During handling of the above exception, another exception occurred:",
    "panic: oh",
    "goroutine 1 [running]:",
    "main.main()",
    "/app/a.js:1",
    "throw x",
    "    ^",
    "a \\",
    " b",
    "-----BEGIN PRIVATE KEY-----",
    "MIIE",
    "-----END PRIVATE KEY-----",
]

Fed = Sequence[tuple[str, str, int]]

FEEDS: st.SearchStrategy[Fed] = st.lists(
    st.tuples(st.sampled_from(LINES), st.sampled_from(["stdout", "stdout", "stderr"]), st.integers(0, 3_000)),
    max_size=40,
)


def made_of(fed: Fed) -> list[Record]:
    """Make records of lines, streams, and the milliseconds since the one before."""
    time_nano = START
    made = []
    for number, (line, source, pause) in enumerate(fed):
        time_nano += pause * SECOND // 1_000
        made.append(record(line, number, source, time_nano))
    return made


def seen(made: Sequence[Record]) -> list[tuple[int, bytes, str, int, int, str]]:
    return [(each.offset, each.line, each.source, each.severity, each.time_nano, repr(each.fields)) for each in made]


def with_kills(given: Mapping[str, str], fed: Fed, at: Sequence[int]) -> list[Record]:
    """Put lines through stages that are made anew at some lines, from the last position on that was acknowledged.

    What came out before a kill counts as acknowledged with the position behind it.
    """
    made: list[Record] = []
    position = Position(0, 0)
    for until in [*sorted(at), len(fed)]:
        pipeline = Pipeline(stages(given), position)
        pipeline.feed_again([each for each in made_of(fed) if position.resume <= each.offset < position.offset])
        made += pipeline.feed([each for each in made_of(fed)[:until] if each.offset >= position.offset])
        position = pipeline.position
    return made + pipeline.flush(math.inf)


@pytest.mark.parametrize("name", CHAINS)
@example(
    [("INFO plain", source, 0) for source in ("stderr", "stdout")]
    + [(line, "stderr", 0) for line in ('  File "a.py", line 1, in f', "    ^")],
    [4],
)
@given(FEEDS, st.lists(st.integers(0, 40), max_size=3))
def test_restarts_change_nothing(name: str, fed: Fed, kills: list[int]) -> None:
    kills = [min(kill, len(fed)) for kill in kills]

    assert seen(with_kills(CHAINS[name], fed, kills)) == seen(shaped(CHAINS[name], made_of(fed)))


ACTIONS = st.lists(st.sampled_from(["read", "read", "read", "end", "acknowledge", "kill"]), max_size=30)
"""What happens to a tail: a line is read, the stream ends, some of what came out is acknowledged, or it is killed."""


BOTH_END = ["read", "read", "end", "acknowledge", "kill"]
"""Two events come out at once, and not all that has come out is acknowledged."""


def over_streams(given: Mapping[str, str], fed: Fed, actions: Sequence[str], some: float = 1.0) -> list[Record]:
    """Put lines through stages as a tail does whose container is stopped and started again, and which is killed.

    What was not acknowledged before a kill is made again, and counts once. Of what came out since the last time,
    ``some`` is acknowledged at once.
    """
    journal = made_of(fed)
    read = 0
    made: list[Record] = []
    done, position = 0, Position(0, 0)
    pipeline = Pipeline(stages(given), position)
    for action in actions:
        if action == "read":
            made += pipeline.feed(journal[read : read + 1])
            read += 1
        elif action == "end":
            made += pipeline.flush(math.inf)
            assert not pipeline.holds
        elif action == "acknowledge" and len(made) > done:
            done += math.ceil(some * (len(made) - done))
            position = pipeline.position if done == len(made) else position_behind(made[done - 1])
        elif action == "kill":
            del made[done:]
            journal = made_of(fed)
            pipeline = Pipeline(stages(given), position)
            pipeline.feed_again([each for each in journal if position.resume <= each.offset < position.offset])
            read = sum(each.offset < position.offset for each in journal)
    return made + pipeline.feed(journal[read:]) + pipeline.flush(math.inf)


@pytest.mark.parametrize("name", ["languages", "pattern", "past"])
@given(FEEDS, ACTIONS)
def test_ends_of_streams_and_kills_lose_no_line_and_repeat_none(name: str, fed: Fed, actions: Sequence[str]) -> None:
    made = over_streams(CHAINS[name], fed, actions)

    for source in ("stdout", "stderr"):
        printed = [line for line, stream, _ in fed if stream == source]
        assert "\n".join(lines_of(each for each in made if each.source == source)) == "\n".join(printed)


@pytest.mark.parametrize("name", ["languages", "pattern", "past"])
@example([("panic: oh", "stdout", 0), ("panic: oh", "stderr", 0)], BOTH_END, 0.5)
@example([("a \\", "stdout", 0), ("b \\", "stderr", 0)], BOTH_END, 0.5)
@given(FEEDS, ACTIONS, st.floats(0.1, 0.9))
def test_they_lose_none_where_only_a_part_of_what_came_out_at_once_was_acknowledged(
    name: str, fed: Fed, actions: Sequence[str], some: float
) -> None:
    made = over_streams(CHAINS[name], fed, actions, some)

    for source in ("stdout", "stderr"):
        printed = Counter(line for line, stream, _ in fed if stream == source)
        events = lines_of(each for each in made if each.source == source)
        assert Counter("\n".join(events).split("\n")) >= printed


@pytest.mark.parametrize(("name", "counted_as"), [("rate", DROPPED), ("dedupe", REPEATED)])
@given(FEEDS, ACTIONS)
def test_they_leave_every_line_accounted_for(name: str, counted_as: str, fed: Fed, actions: Sequence[str]) -> None:
    made = over_streams(CHAINS[name], fed, actions)

    assert sum((each.fields or {}).get(counted_as, 1) for each in made) == len(fed)


@pytest.mark.parametrize("name", ["languages", "pattern", "past"])
@given(FEEDS)
def test_joining_loses_no_line_and_repeats_none(name: str, fed: Fed) -> None:
    made = shaped(CHAINS[name], made_of(fed))

    for source in ("stdout", "stderr"):
        printed = [line for line, stream, _ in fed if stream == source]
        assert "\n".join(lines_of(each for each in made if each.source == source)) == "\n".join(printed)


@given(FEEDS)
def test_what_is_not_sent_is_counted(fed: Fed) -> None:
    given = {"exclude": "INFO", "sample": "0.5", "sample-all": "true"}
    pipeline = Pipeline(stages(given), Position(0, 0))
    made = pipeline.feed(made_of(fed))

    assert len(made) + sum(pipeline.dropped.values()) == len(fed)


def test_nothing_is_made_where_nothing_is_asked_for() -> None:
    assert stages({}) == ()


def test_the_order_is_fixed() -> None:
    kinds = [type(stage) for stage in stages(CHAINS["all"])]

    assert kinds == [Multiline, PrivateKeys, Shapes, Dedupe, Shapes, RateLimit, Shapes]


def test_what_was_dropped_before_a_restart_is_not_counted_again() -> None:
    given = {"multiline-pattern": "^A", "exclude": "b"}
    pipeline = Pipeline(stages(given), Position(40, 0))
    pipeline.feed_again(records(["A", "b", "A", "c"]))

    assert pipeline.dropped == {}


class TestFields:
    def test_are_added_by_templates(self) -> None:
        made = one({"add-field.service": "{{.Name}}", "add-field.fixed": "x"}, "line")

        assert made.fields == {"service": "web", "fixed": "x"}

    def test_that_are_there_stay(self) -> None:
        made = one({"parse": "json", "add-field.a": "x", "add-field.b": "y"}, '{"a":1}')

        assert made.fields == {"a": 1, "b": "y"}

    def test_are_renamed_and_dropped(self) -> None:
        given = {"parse": "json", "rename-field.a": "z", "drop-field": "b, z2", "rename-field.none": "x"}

        assert one(given, '{"a":1,"b":2,"c":3}').fields == {"z": 1, "c": 3}

    def test_none_are_left_where_all_are_dropped(self) -> None:
        assert one({"parse": "json", "drop-field": "a"}, '{"a":1}').fields is None

    def test_a_template_that_cannot_be_rendered_is_an_error(self) -> None:
        with pytest.raises(TagError):
            make_stages(options({"add-field.a": "{{index .ContainerArgs 5}}"}), Info(container_id="aa"))


def test_the_container_is_what_fields_are_of() -> None:
    assert INFO.name == "web"
