"""Entries, read as systemd's documentation of its native protocol has them."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record
from plugin.sinks.journald.encoder import Head, encode_entries, field, field_name, make_head
from tests.sinks.factories import INFO, TIME, origin_of
from tests.sinks.strategies import batches

VALID = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""journal_field_valid() of systemd's src/basic/journal-file.c, for fields of unprivileged clients."""


def fields_of(entry: bytes) -> list[tuple[str, bytes]]:
    """Read an entry: NAME=VALUE, or NAME, a length in 64 bits and the value."""
    fields = []
    while entry:
        line, newline, rest = entry.partition(b"\n")
        assert newline
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[8 + size :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        assert VALID.fullmatch(name.decode("ascii"))
        fields.append((name.decode(), value))
        entry = rest
    return fields


def encoded(*records: Record) -> list[dict[str, bytes]]:
    """Encode records, and read what came of each; no field is there twice."""
    entries = []
    for entry in encode_entries(records):
        fields = fields_of(entry)
        assert len(dict(fields)) == len(fields)
        entries.append(dict(fields))
    return entries


def head() -> Head:
    return make_head(origin_of(tag="web/1", attributes={"team": "ü", "com.docker.compose.project": "shop"}))


def test_the_fields_of_dockers_driver() -> None:
    (entry,) = encoded(Record(head(), "stdout", TIME, b"a line", 1234))

    assert entry == {
        "CONTAINER_ID": b"8c1f8c1f8c1f",
        "CONTAINER_ID_FULL": b"8c1f" * 16,
        "CONTAINER_NAME": b"web",
        "CONTAINER_TAG": b"web/1",
        "IMAGE_NAME": b"nginx:1.27",
        "SYSLOG_IDENTIFIER": b"web/1",
        "TEAM": "ü".encode(),
        "COM_DOCKER_COMPOSE_PROJECT": b"shop",
        "PRIORITY": b"6",
        "SYSLOG_TIMESTAMP": b"2023-11-14T22:13:20.123456789Z",
        "CONTAINER_LOG_EPOCH": b"%d" % TIME,
        "CONTAINER_LOG_ORDINAL": b"1234",
        "PEAVEY_RECORD_ID": b"%b/%d/1234" % (b"8c1f" * 16, TIME),
        "MESSAGE": b"a line",
    }


def test_the_priority_is_the_streams_or_that_of_the_severity() -> None:
    prepared = head()
    entries = encoded(
        Record(prepared, "stdout", TIME, b""),
        Record(prepared, "stderr", TIME, b""),
        Record(prepared, "stderr", TIME, b"", severity=9),
        Record(prepared, "stdout", TIME, b"", severity=17),
    )
    assert [entry["PRIORITY"] for entry in entries] == [b"6", b"3", b"6", b"3"]


def test_parts_are_told_as_by_dockers_driver() -> None:
    prepared = head()
    first, last = encoded(
        Record(prepared, "stdout", TIME, b"x", part_id="1f", part_ordinal=1),
        Record(prepared, "stdout", TIME, b"y", part_id="1f", part_ordinal=2, part_last=True),
    )
    of_parts = {name: value for name, value in first.items() if name.startswith("CONTAINER_PARTIAL_")}
    assert of_parts == {
        "CONTAINER_PARTIAL_ID": b"1f",
        "CONTAINER_PARTIAL_ORDINAL": b"1",
        "CONTAINER_PARTIAL_LAST": b"false",
        "CONTAINER_PARTIAL_MESSAGE": b"true",
    }
    assert (last["CONTAINER_PARTIAL_ORDINAL"], last["CONTAINER_PARTIAL_LAST"]) == (b"2", b"true")
    assert "CONTAINER_PARTIAL_MESSAGE" not in last


def test_parsed_fields_are_fields_and_replace_none() -> None:
    fields = {"order": 7, "who": "bob", "deep": {"a": [1, None]}, "none": None, "über": "z", "ber": "later"}
    (entry,) = encoded(Record(head(), "stdout", TIME, b"line", fields={**fields, "message": "x", "Team": "y"}))

    own = {"ORDER": b"7", "WHO": b"bob", "DEEP": b'{"a":[1,null]}', "BER": b"z"}
    assert {name: entry[name] for name in own} == own
    assert (entry["MESSAGE"], entry["TEAM"]) == (b"line", "ü".encode())
    assert "NONE" not in entry


def test_an_entry_never_has_more_fields_than_journald_takes() -> None:
    many = {f"field {number}": number for number in range(2_000)}
    (entry,) = encoded(Record(head(), "stdout", TIME, b"line", fields=many))

    assert len(entry) < 500
    assert entry["FIELD_399"] == b"399"
    assert msgspec.json.decode(entry["FIELDS"]) == {name: n for name, n in many.items() if n >= 400}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("com.docker.compose.project", "COM_DOCKER_COMPOSE_PROJECT"),
        ("PATH", "PATH"),
        ("__odd", "ODD"),
        ("_PID", "PID"),
        ("ßtraße", "TRA_E"),
        ("ſ1", "FIELD_1"),
        ("1st", "FIELD_1ST"),
        ("object_pid", "FIELD_OBJECT_PID"),
        ("coredump.unit", "FIELD_COREDUMP_UNIT"),
        ("unit", "FIELD_UNIT"),
        ("unit_price", "UNIT_PRICE"),
        ("x" * 70, "X" * 64),
        ("ü", ""),
        ("", ""),
    ],
)
def test_names_are_made_as_by_dockers_driver_and_are_valid(name: str, expected: str) -> None:
    assert field_name(name) == expected


@given(st.text())
def test_every_name_is_valid_or_empty(name: str) -> None:
    made = field_name(name)
    assert made == "" or VALID.fullmatch(made)


@given(st.binary())
def test_a_field_of_any_bytes_is_read_as_it_was(value: bytes) -> None:
    assert fields_of(field("NAME", value) + field("NEXT", b"")) == [("NAME", value), ("NEXT", b"")]


@given(batches([head(), make_head(origin_of(msgspec.structs.replace(INFO, container_name="/db")))]))
def test_every_batch_is_one_entry_a_record(records: list[Record]) -> None:
    entries = encoded(*records)

    assert [entry["MESSAGE"] for entry in entries] == [record.line for record in records]
    assert [entry["CONTAINER_LOG_ORDINAL"] for entry in entries] == [b"%d" % record.offset for record in records]
    assert [entry["CONTAINER_NAME"] for entry in entries] == [
        b"db" if b"=db\n" in record.prepared.fields else b"web" for record in records
    ]
    assert [int(entry["SYSLOG_TIMESTAMP"][-10:-1]) for entry in entries] == [
        record.time_nano % 1_000_000_000 for record in records
    ]
