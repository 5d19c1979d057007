"""Objects of batches: which lines go into which, and under what keys."""

import json
from collections import defaultdict

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record
from plugin.sinks.s3.encoder import PreparedObjects, StoredObject, decode_batch, encode_batch, prepare_objects
from plugin.sinks.s3.keys import HOUR, folder_at, parse_key
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.s3.store import lines_of

ORIGINS = [
    origin_of(msgspec.structs.replace(INFO, container_id=digit * 64, container_name=f"/c{digit}")) for digit in "ab"
]
PREPARED = [prepare_objects(origin, "logs/\0d/\0H") for origin in ORIGINS] + [prepare_objects(ORIGINS[0], "all")]


def made(records: list[Record]) -> list[StoredObject]:
    return decode_batch(encode_batch(records, bytes, ""))


@st.composite
def batches(draw: st.DrawFn) -> list[Record]:
    """Draw records of several containers, in any order of hours; offsets grow in each container."""
    records = []
    for number in range(draw(st.integers(0, 30))):
        prepared: PreparedObjects = draw(st.sampled_from(PREPARED))
        time = TIME + draw(st.integers(-2, 2)) * HOUR + number
        record = Record(prepared, "stdout", time, b"%d" % number, number * 100)
        record.end = number * 100 + 50
        records.append(record)
    return records


@given(batches())
def test_each_line_is_in_one_object_in_order(records: list[Record]) -> None:
    expected = defaultdict(list)
    for record in records:
        folder = folder_at(record.prepared.folder, record.time_nano // HOUR)
        expected[folder, record.prepared.identity].append(record.line.decode())
    objects = made(records)
    found = {
        (one.key.rpartition("/")[0], "-".join(one.key.rpartition("/")[2].split("-")[1:3])): [
            line["log"] for line in lines_of(one.key, one.content)
        ]
        for one in objects
    }
    assert found == expected
    assert len({one.key for one in objects}) == len(objects)
    assert made(records) == objects


def test_a_key_and_a_line() -> None:
    sink = sink_of(s3_bucket="logs", s3_compression="none")
    plain, shaped = records_of(sink, [b"\xff a", b"b"], origin_of(attributes={"team": "shop"}))
    shaped.fields, shaped.severity, shaped.end = {"n": 1}, 17, 222
    (one,) = decode_batch(sink.encode([plain, shaped]))
    folder = f"docker/dt=2023-11-14/{INFO.hostname}/web/"
    name = f"20231114T221320Z-{INFO.id}-{TIME:x}-{0:016}-{222:016}-"
    assert one.key[:-15] == folder + name
    assert one.key.endswith(".ndjson")
    constant = {
        "source": "stdout",
        "container_id": INFO.container_id,
        "container_name": "web",
        "image": "nginx:1.27",
        "host": "node1",
        "tag": "8c1f8c1f8c1f",
        "attributes": {"team": "shop"},
    }
    assert [json.loads(line) for line in one.content.splitlines()] == [
        {"timestamp": "2023-11-14T22:13:20.123456789Z", "log": "\ufffd a", **constant, "id": f"{INFO.id}-{TIME:x}-0"},
        {
            "timestamp": "2023-11-14T22:13:20.123457789Z",
            "log": "b",
            **constant,
            "id": f"{INFO.id}-{TIME:x}-100",
            "level": "error",
            "fields": {"n": 1},
        },
    ]


def test_other_content_has_another_key() -> None:
    """So that two sinks of one kind, of which one leaves out lines, take nothing for the other's."""
    record = Record(PREPARED[0], "stdout", TIME, b"a", 0)
    other = Record(PREPARED[0], "stdout", TIME, b"b", 0)
    (one,), (another,) = made([record]), made([other])
    assert one.key != another.key


def test_compression_is_the_same_each_time() -> None:
    for compression in ("gzip", "zstd"):
        sink = sink_of(s3_bucket="logs", s3_compression=compression)
        records = records_of(sink, [b"x" * 1000] * 100)
        assert sink.encode(records) == sink.encode(records)


def test_objects_are_whole_frames_of_zstd() -> None:
    sink = sink_of(s3_bucket="logs")
    (one,) = decode_batch(sink.encode(records_of(sink, [b"a"])))
    assert one.key.endswith(".ndjson.zst")
    assert zstandard.ZstdDecompressor().decompress(one.content).endswith(b"}\n")


@pytest.mark.parametrize(
    ("template", "hour", "folder"),
    [
        ("/a b//{{.Name}}/%Y/%m/%d/%H/../é%%/", 472_222, "a b/web/2023/11/14/22/é%"),
        ("", 0, ""),
        ("./..//.", 0, ""),
        ("x=%H", -5, "x=00"),
        ('{{printf "%s-%d" .Name 7}}', 0, "web-7"),
        ('{{index .ContainerLabels "odd"}}/%d', 0, "%Y_x/01"),
        ('{{range $k, $v := .ContainerLabels}}{{$k}}={{$v}}{{end}}', 0, "odd=%Y_x"),
    ],
)  # fmt: skip
def test_folders(template: str, hour: int, folder: str) -> None:
    info = msgspec.structs.replace(INFO, container_labels={"odd": "%Y\nx"})
    assert folder_at(parse_key(template).render(info), hour) == folder


@given(st.text(), st.integers(-(2**63) // HOUR, 2**63 // HOUR))
def test_folders_of_any_text_are_fit_for_a_key(text: str, hour: int) -> None:
    folder = folder_at(text, hour)
    assert len(folder.encode()) <= 700
    assert folder == folder.strip("/")
    assert "//" not in folder
    assert not set(folder.split("/")) & {".", ".."}
    assert folder.replace(" ", "").isprintable() or not folder.isascii()


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**53), st.integers(0, 2**53))
def test_names_are_listed_by_time_and_place(time: int, offset: int, length: int) -> None:
    record = Record(PREPARED[0], "stdout", time, b"", offset)
    record.end = offset + length
    (one,) = made([record])
    assert len(one.key.encode()) < 1024
