"""Messages of the Forward protocol, as Docker's driver makes them."""

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record, Sink
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.fluentd.decoder import decode
from tests.sinks.strategies import SECOND, batches

ID = INFO.container_id.encode()


def only_record(sink: Sink[Any], record: Record) -> dict[str, str]:
    """Return what a server makes of a record."""
    ((_, ((_, fields),), _),) = decode(sink.encode([record]))
    assert isinstance(fields, dict)
    return fields


def test_a_record_is_packed_as_the_specification_says() -> None:
    sink = sink_of(fluentd_request_ack="false", fluentd_sub_second_precision="false")
    payload = sink.encode(records_of(sink, [b"hello"], origin_of(tag="app")))
    entry = (
        b"\x92"  # an array of two
        b"\xce\x65\x53\xf1\x00"  # 1700000000 as uint 32
        b"\x84"  # a map of four
        b"\xaccontainer_id\xd9\x40" + ID + b"\xaecontainer_name\xa4/web\xa6source\xa6stdout\xa3log\xa5hello"
    )
    assert payload == b"\x93\xa3app\xc4" + bytes((len(entry),)) + entry + b"\x81\xa4size\x01"


def test_a_time_with_nanoseconds_is_an_extension_of_type_0() -> None:
    sink = sink_of(fluentd_sub_second_precision="true")
    ((_, ((time, _),), _),) = decode(sink.encode(records_of(sink, [b"hello"])))
    assert time == msgpack.ExtType(0, (1_700_000_000).to_bytes(4, "big") + (123_456_789).to_bytes(4, "big"))


@pytest.mark.parametrize(("time", "seconds"), [(-1, 0), (0, 0), (2**31 * SECOND, 2**31 - 1), (2**63 - 1, 2**31 - 1)])
def test_a_time_that_cannot_be_expressed_becomes_the_nearest(time: int, seconds: int) -> None:
    for precise in ("true", "false"):
        sink = sink_of(fluentd_sub_second_precision=precise)
        ((_, ((found, _),), _),) = decode(sink.encode(records_of(sink, [b""], time=time)))
        expected = msgpack.ExtType(0, seconds.to_bytes(4, "big") + bytes(4)) if precise == "true" else seconds
        assert found == expected


@given(st.lists(st.one_of(st.text().map(str.encode), st.sampled_from([b"x" * 255, b"x" * 256, b"x" * 65_536]))))
def test_every_line_arrives_as_it_is_and_in_order(lines: list[bytes]) -> None:
    sink = sink_of(sink="fluentd")
    messages = decode(sink.encode(records_of(sink, lines)))
    assert [fields["log"].encode() for _, entries, _ in messages for _, fields in entries] == lines


def test_what_is_not_utf8_is_replaced_since_fluentd_would_drop_the_connection() -> None:
    sink = sink_of(sink="fluentd")
    (record,) = records_of(sink, [b"caf\xc3\xa9 \xff\xe2\x82"])
    assert only_record(sink, record)["log"] == "café \ufffd\ufffd"


def test_a_part_has_the_fields_that_docker_adds() -> None:
    sink = sink_of(sink="fluentd")
    assert not sink.joins_parts
    (record,) = records_of(sink, [b"part"], source="stderr")
    record.part_id, record.part_ordinal, record.part_last = "1f00", 2, True
    assert only_record(sink, record) == {
        "container_id": INFO.container_id,
        "container_name": "/web",
        "source": "stderr",
        "log": "part",
        "partial_message": "true",
        "partial_id": "1f00",
        "partial_ordinal": "2",
        "partial_last": "true",
    }
    record.part_last = False
    assert only_record(sink, record)["partial_last"] == "false"


def test_attributes_go_along_and_may_replace_fields_but_not_the_line() -> None:
    sink = sink_of(sink="fluentd")
    attributes = {"app": "shop", "source": "label", "log": "label", "partial_id": "label"}
    (record,) = records_of(sink, [b"line"], origin_of(attributes=attributes))
    fields = only_record(sink, record)
    assert fields | {"app": "shop", "source": "label", "log": "line", "partial_id": "label"} == fields
    record.part_ordinal, record.part_id = 1, "1f00"
    fields = only_record(sink, record)
    assert fields | {"app": "shop", "source": "label", "log": "line", "partial_id": "1f00"} == fields


def test_more_attributes_than_fit_a_small_map() -> None:
    sink = sink_of(sink="fluentd")
    attributes = {f"label{number}": "x" * number for number in range(100)}
    (record,) = records_of(sink, [b"line"], origin_of(attributes=attributes))
    assert only_record(sink, record) == {
        "container_id": INFO.container_id,
        "container_name": "/web",
        "source": "stdout",
        "log": "line",
        **attributes,
    }


def test_there_is_a_message_per_tag() -> None:
    sink = sink_of(sink="fluentd")
    one, two = (records_of(sink, [b"1", b"2"], origin_of(tag=tag)) for tag in ("one", "two"))
    messages = decode(sink.encode([one[0], two[0], two[1], one[1]]))
    assert [(tag, [fields["log"] for _, fields in entries]) for tag, entries, _ in messages] == [
        ("one", ["1", "2"]),
        ("two", ["1", "2"]),
    ]
    assert [option["size"] for _, _, option in messages] == [2, 2]


def test_no_message_outgrows_what_fluent_bit_takes() -> None:
    sink = sink_of(sink="fluentd")
    records = records_of(sink, [b"x"] * 20_000)
    messages = decode(sink.encode(records))
    assert len(messages) > 1
    assert sum(len(entries) for _, entries, _ in messages) == len(records)
    assert all(len(msgpack.packb(entries)) < 2_000_000 for _, entries, _ in messages)


def test_chunks_are_gzipped_when_asked() -> None:
    sink = sink_of(fluentd_compress="gzip", fluentd_sub_second_precision="false")
    records = records_of(sink, [b"line"] * 1000)
    ((_, entries, option),) = decode(sink.encode(records))
    assert option["compressed"] == "gzip"
    assert len(entries) == 1000
    assert len(sink.encode(records)) < 1000


def test_a_chunk_has_the_same_id_when_it_is_sent_again_and_no_other_has() -> None:
    sink = sink_of(sink="fluentd")
    records = records_of(sink, [b"same", b"same", b"same"])
    other = records_of(sink, [b"same"], replace(origin_of(), birth=TIME + 1))
    batches = [records[:1], records[1:2], records[:2], records, other]
    ids = [decode(sink.encode(batch))[0][2]["chunk"] for batch in batches]
    assert len(set(ids)) == len(batches)
    assert sink.encode(records) == sink.encode(records)


@pytest.mark.parametrize("precise", ["true", "false"])
@given(data=st.data())
def test_any_batch_is_its_records_one_by_one_in_the_messages_of_their_tags(precise: str, data: st.DataObject) -> None:
    sink = sink_of(fluentd_sub_second_precision=precise, fluentd_request_ack="false")
    origins = [origin_of(tag="web"), origin_of(tag="db", attributes={"app": "shop"}), origin_of(tag="web")]
    records = data.draw(batches([sink.prepare(origin) for origin in origins]))
    entries: dict[str, list[bytes]] = {}
    for record in records:
        entries.setdefault(record.prepared.tag, []).append(plainly(record, precise=precise == "true"))
    messages = [(tag, b"".join(packed), {"size": len(packed)}) for tag, packed in entries.items()]
    assert sink.encode(records) == b"".join(map(msgpack.packb, messages))


def plainly(record: Record, *, precise: bool) -> bytes:
    """Pack the entry of one record without regard to any other."""
    seconds, nanos = divmod(min(max(record.time_nano, 0), (2**31 - 1) * SECOND), SECOND)
    packed = seconds.to_bytes(4, "big")
    time = b"\xd7\x00" + packed + nanos.to_bytes(4, "big") if precise else b"\xce" + packed
    names = {name: value for name, value in record.prepared.fields.items() if name.startswith("container_")}
    others = {name: value for name, value in record.prepared.fields.items() if name not in names}
    if record.part_ordinal:
        fields = {"source": record.source, **names, **others}
        fields |= {"partial_message": "true", "partial_id": "1f00", "partial_ordinal": str(record.part_ordinal)}
        fields |= {"partial_last": "true" if record.part_last else "false"}
    else:
        fields = {**names, "source": record.source, **others}
    line = record.line.decode("utf-8", "replace")
    return b"\x92" + time + bytes(msgpack.packb({**fields, "log": line}))
