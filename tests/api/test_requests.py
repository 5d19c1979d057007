"""The engine's requests: what they mean, and what is said of one that is malformed."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.api.requests import ReadLogs, StartLogging, StopLogging, decode
from plugin.errors import RequestError
from plugin.journal.readback import LogQuery, LogReading
from tests.journal.entries import encode, numbered, read_lines, write_journal

ID = "0123456789abcdef" * 4
KINDS: list[type[msgspec.Struct]] = [StartLogging, StopLogging, ReadLogs]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(ID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def start(**info: object) -> bytes:
    return json.dumps({"File": "/run/f", "Info": {"ContainerID": ID} | info}).encode()


def read(**config: object) -> LogQuery:
    body = json.dumps({"Info": {"ContainerID": ID}, "Config": config}).encode()
    return decode(body, ReadLogs, "ReadLogs").query()


def complaint(body: bytes, kind: type[msgspec.Struct] = StartLogging, name: str = "StartLogging") -> str:
    with pytest.raises(RequestError) as caught:
        decode(body, kind, name)
    return str(caught.value)


class TestDecoding:
    def test_a_start(self) -> None:
        request = decode(start(Config={"max-size": "1m"}, ContainerName="/web"), StartLogging, "StartLogging")
        assert (request.file, request.info.container_id, request.info.name) == ("/run/f", ID, "web")
        assert request.info.options == {"max-size": "1m"}

    def test_null_and_unknown_fields_do_no_harm(self) -> None:
        body = start(Config=None, ContainerArgs=None, ContainerEnv=None, ContainerLabels=None, New={"a": [1]})
        assert decode(body, StartLogging, "StartLogging").info.options == {}

    def test_a_stop_may_be_empty(self) -> None:
        assert decode(b"{}", StopLogging, "StopLogging").file == ""
        assert decode(b'{"File": "/run/f"}', StopLogging, "StopLogging").file == "/run/f"

    def test_space_around_is_allowed(self) -> None:
        assert decode(b' \n{"File": "/f"}\n', StopLogging, "StopLogging").file == "/f"

    @pytest.mark.parametrize("body", [b"", b" \r\n\t"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_no_body(self, kind: type[msgspec.Struct], body: bytes) -> None:
        assert complaint(body, kind, "Name") == "Name: the request has no body; a JSON object is expected"

    @pytest.mark.parametrize(
        "body", [b"{", b"{]", b"}", b"{}{}", b"nope", b"\xff", b'{"File": "\xff"}', b'{"Info":' * 99_999, b"[" * 99_999]
    )
    @pytest.mark.parametrize("kind", [StartLogging, ReadLogs])
    def test_no_json(self, kind: type[msgspec.Struct], body: bytes) -> None:
        assert complaint(body, kind, "Name").startswith("Name: ")

    @pytest.mark.parametrize("body", [b"[]", b"7", b'"text"', b"null", b"true"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_no_object(self, kind: type[msgspec.Struct], body: bytes) -> None:
        assert complaint(body, kind, "Name").startswith("Name: Expected `object`, got `")

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"{}", "Object missing required field `File`"),
            (b'{"File": "/f"}', "Object missing required field `Info`"),
            (b'{"File": "/f", "Info": {}}', "Object missing required field `ContainerID` - at `$.Info`"),
            (b'{"File": 7, "Info": {}}', "Expected `str`, got `int` - at `$.File`"),
            (b'{"File": null}', "Expected `str`, got `null` - at `$.File`"),
            (start(Config={"a": 7}), "Expected `str`, got `int` - at `$.Info.Config[...]`"),
            (start(Config=["a"]), "Expected `object | null`, got `array` - at `$.Info.Config`"),
            (start(ContainerEnv="A=b"), "Expected `array | null`, got `str` - at `$.Info.ContainerEnv`"),
        ],
    )
    def test_a_missing_field_or_one_of_another_type_is_named(self, body: bytes, message: str) -> None:
        assert complaint(body) == f"StartLogging: {message}"

    @pytest.mark.parametrize("text", ["", "..", "../x", "ab/cd", "xyz", "ab ", "ab\n", "a" * 129, "٣", "ab\0"])
    @pytest.mark.parametrize("kind", [StartLogging, ReadLogs])
    def test_a_container_id_that_is_none_never_becomes_a_path(self, kind: type[msgspec.Struct], text: str) -> None:
        assert "is not a container id (hexadecimal digits)" in complaint(start(ContainerID=text), kind, "Name")

    def test_a_value_does_not_show_but_where_it_is(self) -> None:
        assert "hunter2" not in complaint(start(ContainerEnv="PASSWORD=hunter2"))

    @given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from(KINDS))
    def test_any_body_is_understood_or_refused(self, body: bytes, kind: type[msgspec.Struct]) -> None:
        try:
            assert isinstance(decode(body, kind, "Name"), kind)
        except RequestError:
            return

    @given(st.dictionaries(st.sampled_from(["ContainerID", "Config", "ContainerArgs", "ContainerCreated"]), JSON))
    def test_any_description_is_understood_or_refused(self, info: dict[str, Any]) -> None:
        try:
            assert decode(start(**info), StartLogging, "Name").info.container_id
        except RequestError:
            return


class TestQueries:
    def test_without_conditions_all_lines_are_wanted(self) -> None:
        assert read() == LogQuery(tail=-1, since=0, until=0, follow=False)
        assert decode(b'{"Info": {"ContainerID": "ab"}}', ReadLogs, "ReadLogs").query() == LogQuery()

    def test_the_zero_time_of_go_is_no_bound(self) -> None:
        assert read(Since="0001-01-01T00:00:00Z", Until="0001-01-01T00:00:00Z", Tail=5, Follow=True) == LogQuery(
            tail=5, follow=True
        )

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1970-01-01T00:00:00.000000001Z", 1),
            ("2026-01-31T12:00:00.123456789Z", 1_769_860_800_123_456_789),
            ("2026-01-31T14:00:00.123456789+02:00", 1_769_860_800_123_456_789),
            ("2026-01-31T12:00:00Z", 1_769_860_800_000_000_000),
            ("", 0),
        ],
    )
    def test_times_are_nanoseconds(self, text: str, expected: int) -> None:
        assert read(Since=text).since == expected
        assert read(Until=text).until == expected

    def test_a_time_before_1970_is_a_bound_too(self) -> None:
        assert read(Until="1969-12-31T23:59:59Z").until == -1_000_000_000
        assert read(Since="1969-12-31T23:59:59Z").since == -1_000_000_000

    @pytest.mark.parametrize("text", ["yesterday", "1769860800", "2026-01-31", "2026-02-30T00:00:00Z", "0"])
    def test_a_malformed_time_is_named(self, text: str) -> None:
        with pytest.raises(RequestError, match=rf"^Config.Since: '{text}' is not a time"):
            read(Since=text)
        with pytest.raises(RequestError, match=rf"^Config.Until: '{text}' is not a time"):
            read(Until=text)

    @pytest.mark.parametrize(("field", "value"), [("Tail", "5"), ("Tail", 1.5), ("Follow", 1), ("Since", 7)])
    def test_a_field_of_another_type_is_named(self, field: str, value: object) -> None:
        with pytest.raises(RequestError, match=rf"^ReadLogs: Expected .* at `\$.Config.{field}`"):
            read(**{field: value})

    @given(st.text(max_size=30), st.text(max_size=30), st.integers())
    def test_any_configuration_is_understood_or_refused(self, since: str, until: str, tail: int) -> None:
        try:
            assert isinstance(read(Since=since, Until=until, Tail=tail), LogQuery)
        except RequestError:
            return

    def test_a_bound_before_1970_ends_a_reading_at_once_and_one_after_all_times_never(self, tmp_path: Path) -> None:
        write_journal(tmp_path / "journal", encode(numbered(3)))
        for until, lines in (("1969-01-01T00:00:00Z", 0), ("9999-12-31T23:59:59Z", 3)):
            reading = LogReading(tmp_path / "journal", read(Until=until, Since="1960-01-01T00:00:00Z"))
            assert len(read_lines(reading.read())) == lines
            reading.close()
