"""Entries, checked by the schema of Google's discovery document."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from plugin.sinks.base import Record
from plugin.sinks.gcplogs.encoder import (
    BETWEEN_ENTRIES,
    BETWEEN_RECORDS,
    OPENING,
    PreparedEntries,
    encode_entries,
    prepare_entries,
    severity_of,
)
from tests.sinks.factories import INFO, TIME, origin_of
from tests.sinks.gcplogs.schema import check_entry, check_request
from tests.sinks.strategies import batches


def entries_of(*records: Record) -> list[list[dict[str, Any]]]:
    """Encode records, and read the entries of each, which the schema must allow."""
    made = []
    for encoded in encode_entries(records).split(BETWEEN_RECORDS):
        entries = [json.loads(OPENING + entry) for entry in encoded.split(BETWEEN_ENTRIES)]
        name = {"logName": "projects/p1/logs/x", "resource": {"type": "global"}}
        check_request({**name, "partialSuccess": True, "entries": entries})
        for entry in entries:
            check_entry(entry)
        made.append(entries)
    return made


def prepared(**attributes: str) -> PreparedEntries:
    return prepare_entries(origin_of(tag="", attributes=attributes), has_command=False)


def test_an_entry_of_dockers_driver() -> None:
    (((entry),),) = entries_of(Record(prepared(team="shop"), "stderr", TIME, b'a "line"\xff', 0x1F))

    assert entry == {
        "jsonPayload": {
            "container": {
                "name": "/web",
                "id": "8c1f" * 16,
                "imageName": "nginx:1.27",
                "imageId": "sha256:" + "5e" * 32,
                "created": "2023-11-14T22:00:00.5Z",
                "metadata": {"team": "shop"},
            },
            "source": "stderr",
            "message": 'a "line"�',
        },
        "timestamp": "2023-11-14T22:13:20.123456789Z",
        "insertId": f"{'8c1f' * 16}-{TIME:x}-000000000000001f",
    }


def test_command_and_tag_are_there_where_they_are_wanted() -> None:
    made = prepare_entries(origin_of(tag="blue"), has_command=True)
    (((entry),),) = entries_of(Record(made, "stdout", TIME, b"x"))

    container = entry["jsonPayload"]["container"]
    assert (container["command"], container["tag"]) == ("nginx -g daemon off;", "blue")


def test_fields_and_severity() -> None:
    fields = {"order": 7, "deep": {"a": [1, None]}}
    before, made, after = entries_of(
        Record(prepared(), "stdout", TIME, b"x"),
        Record(prepared(), "stdout", TIME, b"x", fields=fields, severity=17),
        Record(prepared(), "stdout", TIME, b"x", fields={"large": "y" * 20_000}, severity=1),
    )
    assert (made[0]["severity"], made[0]["jsonPayload"]["fields"]) == ("ERROR", fields)
    assert "severity" not in before[0]
    assert (after[0]["severity"], after[0]["jsonPayload"].get("fields")) == ("DEBUG", None)


def test_severities_grow_with_their_numbers() -> None:
    order = ["", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"]
    found = [order.index(severity_of(number)) for number in range(25)]
    assert found == sorted(found)
    assert set(found) == set(range(9))
    assert [severity_of(number) for number in (5, 9, 13, 17, 21)] == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


@pytest.mark.parametrize("character", ["x", "ü", "😀", "\0", '"'])
def test_a_line_that_is_too_long_for_an_entry_is_several(character: str) -> None:
    line = character.encode() * (700_000 // len(character.encode()))
    (entries,) = entries_of(Record(prepared(), "stdout", TIME, b"x" + line, 9, severity=9))

    assert len(entries) == 5
    assert "".join(entry["jsonPayload"]["message"] for entry in entries) == ("x" + line.decode())
    splits = [entry["split"] for entry in entries]
    assert [split["index"] for split in splits] == list(range(5))
    assert {(split["uid"], split["totalSplits"]) for split in splits} == {(entries[0]["insertId"][:-5], 5)}
    identifiers = [entry["insertId"] for entry in entries]
    assert identifiers == sorted(set(identifiers))


@given(
    batches(
        [prepared(), prepare_entries(origin_of(msgspec.structs.replace(INFO, container_name="/db")), has_command=True)]
    )
)
def test_every_batch_is_one_entry_a_record(records: list[Record]) -> None:
    if not records:
        return
    made = entries_of(*records)

    assert [entry["jsonPayload"]["message"] for (entry,) in made] == [
        record.line.decode(errors="replace") for record in records
    ]
    assert [int(entry["timestamp"][-10:-1]) for (entry,) in made] == [record.time_nano % 10**9 for record in records]
    assert [int(entry["insertId"].rpartition("-")[2], 16) for (entry,) in made] == [record.offset for record in records]
