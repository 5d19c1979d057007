"""Records put through a pipeline many at once: they come out as those that are put through it one by one."""

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.records.position import Position
from plugin.records.record import Record
from plugin.transforms.base import Transform
from plugin.transforms.pipeline import Pipeline
from tests.transforms.examples import DropAll, JoinThrees, KeepAll, Split
from tests.transforms.lines import stages
from tests.transforms.test_chain import CHAINS, FEEDS, Fed, made_of, seen

MORE: Mapping[str, Mapping[str, str]] = {
    **CHAINS,
    "filter": {"include": "INFO|a", "exclude": "health", "min-level": "info", "parse": "json"},
    "redacted fields": {"parse": "json", "redact": "all", "add-field.x": "{{.Name}}"},
    "joined and redacted": {"multiline": "auto", "redact": "all", "redact-pattern": r"line \d"},
    "drops behind a holder": {"dedupe": "1s", "sample": "0.5", "sample-all": "true", "redact": "email"},
    "stages": {
        "loki-pipeline-stages": (
            "[{json: {expressions: {level: level}}}, {labels: {level: level}}, {drop: {expression: health}}]"
        )
    },
    "stages behind others": {
        "multiline": "java",
        "exclude": "plain",
        "loki-pipeline-stages": r"[{multiline: {firstline: '^\S'}}, {replace: {expression: '(a)', replace: 'A'}}]",
    },
}


def placed(made: Sequence[Record]) -> list[tuple[object, ...]]:
    """Return what there is of records, with where each leaves the cursor."""
    return [(*one, each.end, each.resume) for one, each in zip(seen(made), made, strict=True)]


@pytest.mark.parametrize("name", MORE)
@given(fed=FEEDS, sizes=st.lists(st.integers(1, 30)))
def test_it_makes_no_difference(name: str, fed: Fed, sizes: list[int]) -> None:
    singly, together = (Pipeline(stages(MORE[name]), Position(0, 0)) for _ in range(2))
    one_by_one = [each for record in made_of(fed) for each in singly.feed([record])]

    records = made_of(fed)
    made: list[Record] = []
    for size in [*sizes, len(records)]:
        made += together.feed(records[:size])
        records = records[size:]

    assert placed(made) == placed(one_by_one)
    assert together.position == singly.position
    assert together.dropped == singly.dropped
    assert placed(together.flush(math.inf)) == placed(singly.flush(math.inf))


class DropOdd(KeepAll):
    """A stage that drops each second record, and takes many at once."""

    def feed(self, record: Record) -> Sequence[Record]:
        return () if record.offset % 20 else (record,)

    def feed_all(self, records: list[Record]) -> list[Record]:
        return [record for record in records if not record.offset % 20]


@pytest.mark.parametrize(
    "kinds",
    [
        (DropOdd,),
        (DropOdd, JoinThrees, DropOdd),
        (Split, DropOdd),
        (DropOdd, Split, DropOdd),
        (JoinThrees, Split, DropOdd),
        (KeepAll, DropOdd),
        (DropAll, DropOdd),
    ],
    ids=lambda kinds: "-".join(kind.__name__ for kind in kinds),
)
@given(fed=FEEDS, held=st.lists(st.integers(0, 40), max_size=3))
def test_nor_does_it_where_stages_make_several_or_none(
    kinds: Sequence[type[Transform]], fed: Fed, held: list[int]
) -> None:
    def records() -> list[Record]:
        made = made_of(fed)
        for number in held:  # the parts of another line begin before
            if 0 < number < len(made):
                made[number].resume = made[number - 1].offset
        return made

    singly, together = (Pipeline([kind() for kind in kinds], Position(0, 0)) for _ in range(2))
    one_by_one = [each for record in records() for each in singly.feed([record])]

    assert placed(together.feed(records())) == placed(one_by_one)
    assert together.position == singly.position
