from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import Record
from plugin.sinks.redis.encoder import Stream, commands, encode_commands, make_stream, pack
from plugin.sinks.redis.script import SHA
from tests.sinks.factories import TIME

BIRTH = 1_700_000_000_000_000_000


def stream(key: bytes = b"logs", constant: Mapping[str, str] | None = None) -> Stream:
    return make_stream(key, BIRTH, 1000, ours=True, touches=False, constant=constant or {})


def arguments(text: bytes) -> list[bytes]:
    """Read a command as the protocol's specification has it, all of it."""
    assert text.startswith(b"*")
    head, _, rest = text.partition(b"\r\n")
    found = []
    for _ in range(int(head[1:])):
        length, _, rest = rest.partition(b"\r\n")
        assert length.startswith(b"$")
        size = int(length[1:])
        assert rest[size : size + 2] == b"\r\n"
        found.append(rest[:size])
        rest = rest[size + 2 :]
    assert rest == b""
    return found


def test_a_command_byte_for_byte() -> None:
    assert pack(b"AUTH", b"p\r\nw", b"") == b"*3\r\n$4\r\nAUTH\r\n$4\r\np\r\nw\r\n$0\r\n\r\n"


def test_a_batch_of_one_container() -> None:
    web = stream(b"logs:web", {"host": "node1"})
    records = [
        Record(web, "stdout", TIME, b"first", 0, 40),
        Record(web, "stderr", TIME + 1, b"second", 40, 90, fields={"a": [1, None]}, severity=17),
        Record(web, "stdout", TIME + 2, b"", 90, 120, severity=9),
    ]
    (command,) = commands(encode_commands(records))
    assert command.key == b"logs:web"
    assert arguments(bytes(command.text)) == [
        *(b"EVALSHA", SHA, b"1", b"logs:web"),
        *(b"1700000000000", b"1000", b"1", b"0", b"2", b"host", b"node1"),
        *(b"40", b"0", b"2023-11-14T22:13:20.123456789Z", b"o", b"first"),
        *(b"90", b"40", b"2023-11-14T22:13:20.123456790Z", b"E", b"second", b"error", b'{"a":[1,null]}'),
        *(b"120", b"90", b"2023-11-14T22:13:20.123456791Z", b"O", b"", b"info", b""),
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"a", b"b"]),
            st.binary(max_size=50) | st.sampled_from([b"x" * 1023, b"x" * 1024]),
            st.sampled_from(["stdout", "stderr"]),
            st.integers(min_value=-(10**18), max_value=2**62),
            st.none() | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
            st.integers(min_value=0, max_value=24),
        ),
        max_size=30,
    )
)
def test_every_record_is_in_the_command_of_its_stream(drawn: list[tuple[bytes, bytes, str, int, Any, int]]) -> None:
    streams = {key: stream(key) for key in (b"a", b"b")}
    records = [
        Record(streams[key], source, time, line, 100 * n, 100 * n + 99, fields=fields, severity=severity)
        for n, (key, line, source, time, fields, severity) in enumerate(drawn)
    ]
    sent: dict[bytes, list[tuple[bytes, ...]]] = {}
    for command in commands(encode_commands(records)):
        rest = arguments(bytes(command.text))[9:]
        while rest:
            count = 5 + 2 * (rest[3] in b"OE")
            sent.setdefault(command.key, []).append(tuple(rest[:count]))
            rest = rest[count:]
    expected: dict[bytes, list[bytes]] = {}
    for record in records:
        expected.setdefault(record.prepared.key, []).append(record.line)
    assert {key: [entry[4] for entry in entries] for key, entries in sent.items()} == expected
    for key, entries in sent.items():
        for entry, record in zip(entries, [r for r in records if r.prepared.key == key], strict=True):
            second, nanos = divmod(record.time_nano, 10**9)
            moment = datetime.fromtimestamp(0, UTC).timestamp() + second
            assert entry[2].endswith(b".%09dZ" % nanos)
            assert datetime.fromisoformat(entry[2][:-11].decode() + "+00:00").timestamp() == moment
            assert entry[3].lower() == {"stdout": b"o", "stderr": b"e"}[record.source]


def test_a_large_batch_is_several_commands() -> None:
    web = stream()
    many = [Record(web, "stdout", TIME, b"x", number, number + 1) for number in range(12_000)]
    large = [Record(web, "stdout", TIME, b"x" * (3 << 20), number, number + 1) for number in range(7)]
    assert [len(arguments(bytes(c.text))) for c in commands(encode_commands(many))] == [25_009, 25_009, 10_009]
    assert [len(arguments(bytes(c.text))) for c in commands(encode_commands(large))] == [24, 24, 14]


def test_the_same_records_are_the_same_bytes() -> None:
    web = stream()
    records = [Record(web, "stdout", TIME, b"x", 0, 30, fields={"b": 1, "a": 2})]
    assert encode_commands(records) == encode_commands(records)
    assert encode_commands([]) == b""
