"""Messages, each of one container."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.amqp.encoder import encode_messages, make_route, messages
from plugin.sinks.base import Record
from tests.sinks.factories import TIME
from tests.sinks.strategies import batches

WEB = make_route("logs", "logs.web", "8c1f-1-", {"container_name": "web"})
DB = make_route("", "db", "9d2e-1-", {"container_name": "db"})


def test_a_line() -> None:
    record = Record(WEB, "stderr", TIME, b'a "line"\xff', 40, fields={"order": 7}, severity=17)
    (message,) = messages(encode_messages([record], 1))

    assert (message.exchange, message.routing_key, message.id, message.lines) == ("logs", "logs.web", "8c1f-1-40", 1)
    assert json.loads(message.text) == {
        "timestamp": "2023-11-14T22:13:20.123456789Z",
        "log": 'a "line"�',
        "source": "stderr",
        "container_name": "web",
        "id": "8c1f-1-40",
        "level": "error",
        "fields": {"order": 7},
    }


def test_a_message_ends_when_it_is_large() -> None:
    records = [Record(WEB, "stdout", TIME, b"x" * 100_000, number) for number in range(7)]
    assert [message.lines for message in messages(encode_messages(records, 500))] == [3, 3, 1]


@pytest.mark.parametrize("most", [1, 2, 500])
@given(data=st.data())
def test_every_record_is_in_one_message_of_its_container_in_order(most: int, data: st.DataObject) -> None:
    records = data.draw(batches([WEB, DB]))
    made = list(messages(encode_messages(records, most)))

    for route in (WEB, DB):
        of_route = [message for message in made if message.routing_key == route.routing_key]
        objects = [msgspec.json.decode(line) for message in of_route for line in message.text.splitlines()]
        expected = [record for record in records if record.prepared is route]
        assert [found["log"] for found in objects] == [record.line.decode(errors="replace") for record in expected]
        assert [found["id"] for found in objects] == [f"{route.identity}{record.offset}" for record in expected]
        assert all(message.exchange == route.exchange for message in of_route)
    assert all(1 <= message.lines <= most for message in made)
    if most == 1:
        assert [message.id for message in made] == [f"{r.prepared.identity}{r.offset}" for r in records]
