"""Rows and tokens."""

import json

from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record
from plugin.sinks.clickhouse.columns import FIELDS, parse_columns
from plugin.sinks.clickhouse.encoder import encode_rows, prepare_rows, token_of
from tests.sinks.factories import TIME, origin_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5
)


def record_strategy(columns: str) -> st.SearchStrategy[Record]:
    prepared = prepare_rows(origin_of(), parse_columns(columns), {"service.name": 'we"b', "n": ["1"]})
    return st.builds(
        Record,
        st.just(prepared),
        st.sampled_from(["stdout", "stderr"]),
        st.integers(0, 2**62),
        st.binary(),
        st.integers(0, 2**40),
        fields=st.none() | st.dictionaries(st.text(), JSON, max_size=3),
        severity=st.integers(0, 24),
    )


@given(st.permutations(list(FIELDS)), st.data())
def test_rows_are_objects_whose_columns_hold_what_they_are_to(fields: list[str], data: st.DataObject) -> None:
    columns = ",".join(f"c_{field}={field}" for field in fields[:9])
    records = data.draw(st.lists(record_strategy(columns), max_size=4))
    rows = [json.loads(line) for line in encode_rows(records).splitlines()]
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert list(row) == [f"c_{field}" for field in fields[:9]]
        expected = {
            "c_line": record.line.decode(errors="replace"),
            "c_source": record.source,
            "c_severity": record.severity,
            "c_offset": record.offset,
            "c_service": 'we"b',
            "c_id": f"{'8c1f' * 3}-{TIME:x}-{record.offset}",
            "c_resource": {"service.name": 'we"b', "n": '["1"]'},
        }
        assert {**expected, **row} | {name: expected[name] for name in expected if name in row} == {**expected, **row}
        if attributes := row.get("c_attributes"):
            assert all(isinstance(value, str) for value in attributes.values())
            assert attributes["log.iostream"] == record.source
            assert set(record.fields or {}) <= set(attributes)


def test_a_token_names_records_and_their_order() -> None:
    prepared = prepare_rows(origin_of(), parse_columns("a=line"), {})
    again = prepare_rows(origin_of(), parse_columns("a=line"), {})
    one, two = (Record(prepared, "stdout", TIME, b"", offset) for offset in (1, 23))
    tokens = [
        token_of(batch)
        for batch in ([one], [two], [one, two], [two, one], [Record(prepared, "stdout", TIME, b"", 12)], [one, one])
    ]
    assert len(set(tokens)) == len(tokens)
    assert token_of([Record(again, "stdout", 0, b"other", 1)]) == token_of([one])
