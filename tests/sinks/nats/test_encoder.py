import json
from array import array
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record
from plugin.sinks.encoding.record_fields import level_of
from plugin.sinks.nats.encoder import Container, encode_messages, make_container, messages, without_first
from plugin.sinks.nats.publisher import Done
from tests.sinks.factories import TIME

WEB = make_container("logs.web", "8c1f-1", "web", {"host": "node1"})


def test_a_message_byte_for_byte() -> None:
    records = [
        Record(WEB, "stdout", TIME, b'say "hi"', 0, 40),
        Record(WEB, "stderr", TIME + 1, b"\xff", 40, 90, fields={"a": [1, None]}, severity=17),
    ]
    (message,) = messages(encode_messages(records, 500))
    assert (message.subject, message.container, message.name) == ("logs.web", "8c1f-1", "web")
    assert list(message.places) == [40, 0, 90, 40]
    assert message.text == (
        b'{"timestamp":"2023-11-14T22:13:20.123456789Z","log":"say \\"hi\\"","source":"stdout","host":"node1",'
        b'"offset":0}\n'
        b'{"timestamp":"2023-11-14T22:13:20.123456790Z","log":"\xef\xbf\xbd","source":"stderr","host":"node1",'
        b'"offset":40,"level":"error","fields":{"a":[1,null]}}\n'
    )
    assert without_first(message, 1).text == message.text[message.text.index(b"\n") + 1 :]
    assert list(without_first(message, 1).places) == [90, 40]
    assert without_first(message, 2).text == b""


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.binary(max_size=40),
            st.sampled_from(["stdout", "stderr"]),
            st.none() | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
            st.integers(0, 24),
        ),
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_every_record_is_in_a_message_of_its_container(
    drawn: list[tuple[int, bytes, str, Any, int]], most: int
) -> None:
    containers = [make_container(f"logs.{name}", name, name, {}) for name in "abc"]
    records = [
        Record(containers[which], source, TIME + n, line, n, n + 1, fields=fields, severity=severity)
        for n, (which, line, source, fields, severity) in enumerate(drawn)
    ]
    found: dict[str, list[Any]] = {}
    for message in messages(encode_messages(records, most)):
        objects = [json.loads(line) for line in message.text.splitlines()]
        assert 1 <= len(objects) <= most
        assert list(message.places[1::2]) == [o["offset"] for o in objects]
        found.setdefault(message.container, []).extend(objects)
    for container in containers:
        expected = [
            (r.line.decode("utf-8", "replace"), r.source, r.offset, level_of(r), r.fields or None)
            for r in records
            if r.prepared is container
        ]
        got = [
            (o["log"], o["source"], o["offset"], o.get("level", ""), o.get("fields"))
            for o in found.get(container.id, [])
        ]
        assert got == expected


def test_messages_end_where_they_are_large_enough() -> None:
    large = [Record(WEB, "stdout", TIME, b"x" * 100_000, n, n + 1) for n in range(7)]
    assert [len(m.places) // 2 for m in messages(encode_messages(large, 500))] == [3, 3, 1]
    assert list(messages(encode_messages([], 500))) == []


def test_what_is_there_already_is_counted_by_end_and_offset() -> None:
    places = array("q", [150, 100, 150, 0, 150, 50, 200, 150])
    assert Done(100, frozenset({0})).count(places) == 0
    assert Done(150, frozenset({100})).count(places) == 1
    assert Done(150, frozenset({100, 0})).count(places) == 2
    assert Done(150, frozenset({100, 0, 50})).count(places) == 3
    assert Done(200, frozenset({150})).count(places) == 4
    assert Done(999, frozenset()).count(places) == 4


def test_containers_of_one_subject_stay_apart() -> None:
    one, two = (Container("logs", name, name, WEB.after_line) for name in "ab")
    records = [Record(c, "stdout", TIME, b"x", 0, 1) for c in (one, two, one)]
    assert [(m.container, len(m.places)) for m in messages(encode_messages(records, 500))] == [("a", 4), ("b", 2)]
