"""Parsing: which lines become which fields, and what else a record gets of them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugin.config.shaping_kinds import FORMATS
from plugin.records.record import Record
from plugin.transforms.exact_json import parse_object
from plugin.transforms.formats import PARSERS, parse_logfmt
from plugin.transforms.written_times import read_time
from tests.transforms.lines import START, one

ACCESS = (
    '93.180.71.3 - bob [17/May/2015:08:05:32 +0000] "GET /downloads/product_1?x=a%20b HTTP/1.1" 304 0 "-" '
    '"Debian APT-HTTP/1.3 (0.8.16~exp12ubuntu10.21)"'
)


def parsed(kind: str, line: str | bytes, **more: str) -> Record:
    return one({"parse": kind} | {name.replace("_", "-"): text for name, text in more.items()}, line)


class TestJson:
    def test_members_become_fields_and_the_message_the_line(self) -> None:
        made = parsed(
            "json", '{"level":"warn","msg":"höher","n":1,"deep":{"a":[1,null,true]},"ts":"2026-01-31T12:00:00Z"}'
        )

        assert made.line == "höher".encode()
        assert made.fields == {"level": "warn", "n": 1, "deep": {"a": [1, None, True]}, "ts": "2026-01-31T12:00:00Z"}
        assert made.severity == 13

    def test_without_a_message_the_line_stays(self) -> None:
        made = parsed("json", '{"a":1}')

        assert (made.line, made.fields) == (b'{"a":1}', {"a": 1})

    @pytest.mark.parametrize(
        "line",
        [
            "",
            " ",
            "text",
            "{",
            "{}x",
            "[1]",
            "1",
            '"text"',
            "null",
            "{'a': 1}",
            '{"a":"\udcff"}',
            '{"a":NaN}',
            '{"a":1,}',
        ],
    )
    def test_what_is_no_object_goes_on_as_it_is(self, line: str) -> None:
        raw = line.encode(errors="surrogateescape")
        made = parsed("json", raw)

        assert (made.line, made.fields) == (raw, None)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0", 0),
            ("-0", 0),
            ("18446744073709551615", 2**64 - 1),
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("1.10", 1.1),
            ("0.5", 0.5),
            ("0.50000000000000000001", "0.50000000000000000001"),
            ("0.1234567890123456789", "0.1234567890123456789"),
            ("1e400", "1e400"),
            ("1e-400", "1e-400"),
            ("1E5", 100000.0),
            ("0.0", 0.0),
        ],
    )
    def test_numbers_stay_exact(self, text: str, value: Any) -> None:
        fields = parsed("json", f'{{"v":{text},"w":[{text}]}}').fields

        assert fields == {"v": value, "w": [value]}

    @pytest.mark.parametrize(
        "line",
        [
            b"{" * 2**20,
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
            b'{"a":' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"a":' + b"[" * 40 + b"1.00000000000000000001" + b"]" * 40 + b"}",
            b'{"a":' + b"1" * 2**20 + b"}",
            b'{"a":1.' + b"1" * 2**20 + b"}",
            b"1" * 2**20,
            b'"' * 2**20,
            b"\\" * 2**20,
            b"=" * 2**20,
            b"a=" * 2**19,
            b'a="' + b"\\" * 2**20,
            b'a="' + b'\\"' * 2**19,
            b"[" * 2**20,
            b"I0102 " * 100_000,
            b"\xff" * 2**20,
            b" " * 2**20,
            ACCESS.encode() * 5_000,
        ],
        ids=lambda line: repr(line[:12]) + str(len(line)),
    )
    def test_hostile_lines_are_no_harm(self, line: bytes) -> None:
        made = parsed("auto", line)

        assert made.fields is None or json.dumps(made.fields)

    @given(st.dictionaries(st.text(), st.lists(st.none() | st.booleans() | st.text() | st.integers())))
    def test_whatever_is_an_object_is_taken_as_it_is(self, value: dict[str, Any]) -> None:
        try:
            line = json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return
        fields = parse_object(line)

        if fields is not None:
            assert json.dumps(fields, default=str).replace('"', "") == json.dumps(value).replace('"', "")

    @given(st.decimals(allow_nan=False, allow_infinity=False).map(str))
    @example("0E-400")
    def test_a_number_is_the_same_or_its_text(self, text: str) -> None:
        fields = parse_object(f'{{"v":{text}}}'.encode())

        if fields is not None:
            assert Decimal(repr(fields["v"]) if isinstance(fields["v"], float) else str(fields["v"])) == Decimal(text)


class TestLogfmt:
    @pytest.mark.parametrize(
        ("line", "fields"),
        [
            ("a=1", {"a": "1"}),
            ('a=1  b="x y" c=', {"a": "1", "b": "x y", "c": ""}),
            (r'a="q\"q" b="\n\u00e9" c="\x"', {"a": 'q"q', "b": "\né", "c": r"\x"}),
            (r'a="\\"', {"a": "\\"}),
            ('a=""', {"a": ""}),
            ("a=b=c", {"a": "b=c"}),
            ("time=2026-01-31T12:00:00Z log.level=info", {"time": "2026-01-31T12:00:00Z", "log.level": "info"}),
            ("text", None),
            ("some text a=1", None),
            ("a=1 text", None),
            ('a="1', None),
            ('a="1"b=2', None),
            ("=1", None),
            ("ä=1", None),
            ("", None),
        ],
    )
    def test_a_line_of_nothing_but_pairs_is_taken(self, line: str, fields: dict[str, str] | None) -> None:
        assert parse_logfmt(line.encode()) == fields

    def test_level_and_message_are_found(self) -> None:
        made = parsed("logfmt", 'level=error msg="it broke" n=1')

        assert (made.line, made.severity, made.fields) == (b"it broke", 17, {"level": "error", "n": "1"})


class TestKlog:
    def test_a_line(self) -> None:
        made = parsed("klog", "E0102 15:04:05.678901    7 controller.go:42] cannot do it: refused")

        assert (made.line, made.severity) == (b"cannot do it: refused", 17)
        assert made.fields == {"level": "E", "time": "0102 15:04:05.678901", "thread": 7, "source": "controller.go:42"}

    def test_a_structured_message(self) -> None:
        made = parsed(
            "klog", 'I0102 15:04:05.678901    7 kubelet.go:9] "Pod status updated" pod="kube-system/dns" status="ready"'
        )

        assert made.line == b"Pod status updated"
        assert made.fields is not None
        assert (made.fields["pod"], made.fields["status"]) == ("kube-system/dns", "ready")


class TestAccessLogs:
    def test_nginx(self) -> None:
        made = parsed("nginx", ACCESS)

        assert made.line == ACCESS.encode()
        assert made.fields == {
            "remote": "93.180.71.3",
            "host": "-",
            "user": "bob",
            "time": "17/May/2015:08:05:32 +0000",
            "method": "GET",
            "path": "/downloads/product_1?x=a%20b",
            "protocol": "HTTP/1.1",
            "code": 304,
            "size": 0,
            "referer": "-",
            "agent": "Debian APT-HTTP/1.3 (0.8.16~exp12ubuntu10.21)",
        }

    def test_nginx_errors(self) -> None:
        made = parsed("nginx", '2026/01/31 12:00:00 [crit] 29#30: *7 connect() failed, client: 10.0.0.1, server: "_"')

        assert (made.line, made.severity) == (b'connect() failed, client: 10.0.0.1, server: "_"', 18)
        assert made.fields == {"time": "2026/01/31 12:00:00", "level": "crit", "pid": 29, "tid": 30, "connection": 7}

    def test_apache_common_and_combined(self) -> None:
        common = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 -'
        made = parsed("apache", common)

        assert made.fields == {
            "host": "127.0.0.1",
            "user": "frank",
            "time": "10/Oct/2000:13:55:36 -0700",
            "method": "GET",
            "path": "/apache_pb.gif",
            "protocol": "HTTP/1.0",
            "code": 200,
        }
        assert parsed("apache", ACCESS).fields is not None

    def test_apache_errors(self) -> None:
        made = parsed(
            "apache",
            "[Sat Jan 31 12:00:00.123456 2026] [core:error] [pid 35708:tid 43] [client 10.0.0.1:4] File does not exist",
        )

        assert (made.line, made.severity) == (b"File does not exist", 17)

    @pytest.mark.parametrize("line", ["GET / 200", ACCESS[:60], ACCESS.replace("304", "x")])
    def test_another_line_goes_on_as_it_is(self, line: str) -> None:
        assert parsed("nginx,apache", line).fields is None


class TestWhichFormat:
    def test_the_first_that_fits_is_used(self) -> None:
        assert parsed("logfmt,json", '{"a":1}').fields == {"a": 1}
        assert (parsed("apache,nginx", ACCESS).fields or {}).keys().isdisjoint({"remote"})
        assert "remote" in (parsed("nginx,apache", ACCESS).fields or {})

    def test_a_pattern_comes_first(self) -> None:
        made = one({"parse": "json", "parse-pattern": r"^(?P<who>\w+): (?P<message>.*)(?P<none>x)?$"}, "bob: hello")

        assert (made.line, made.fields) == (b"hello", {"who": "bob"})

    def test_every_format_has_a_parser(self) -> None:
        assert tuple(PARSERS) == FORMATS


class TestWhatFieldsSay:
    def test_the_message_may_have_another_name(self) -> None:
        made = parsed("json", '{"event":"started","msg":"x"}', parse_message="event")

        assert (made.line, made.fields) == (b"started", {"msg": "x"})

    def test_no_message_is_taken_if_none_is_named(self) -> None:
        made = parsed("json", '{"msg":"x"}', parse_message="")

        assert (made.line, made.fields) == (b'{"msg":"x"}', {"msg": "x"})

    def test_a_message_that_is_no_text_stays_a_field(self) -> None:
        assert parsed("json", '{"msg":7}').fields == {"msg": 7}

    def test_the_level_may_have_another_name_and_be_a_number(self) -> None:
        assert parsed("json", '{"prio":4}', parse_level="prio").severity == 13
        assert parsed("json", '{"level":50}').severity == 17
        assert parsed("json", '{"level":"what"}').severity == 9

    def test_the_time_is_that_of_the_journal_unless_a_field_is_named(self) -> None:
        line = '{"ts":"2026-01-31T12:00:00.5Z"}'

        assert parsed("json", line).time_nano == START
        assert parsed("json", line, parse_time="ts").time_nano == 1769860800_500_000_000
        assert parsed("json", line, parse_time="auto").time_nano == 1769860800_500_000_000
        assert parsed("json", '{"ts":"then"}', parse_time="ts").time_nano == START


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        ("2026-01-31T12:00:00Z", 1769860800_000_000_000),
        ("2026-01-31 12:00:00,123", 1769860800_123_000_000),
        ("2026/01/31 12:00:00", 1769860800_000_000_000),
        ("2026-01-31T12:00:00.123456789+01:00", 1769857200_123_456_789),
        ("2026-01-31T12:00:00.1234567891-0130", 1769866200_123_456_789),
        ("17/May/2015:08:05:32 +0000", 1431849932_000_000_000),
        (1769860800, 1769860800_000_000_000),
        (1769860800.25, 1769860800_250_000_000),
        ("1769860800.123456789", 1769860800_123_456_789),
        (1769860800123, 1769860800_123_000_000),
        (1769860800123456, 1769860800_123_456_000),
        (1769860800123456789, 1769860800_123_456_789),
        ("2026-02-30T12:00:00Z", 0),
        ("0102 15:04:05", 0),
        ("", 0),
        (7, 0),
        (True, 0),
        (None, 0),
        (float("inf"), 0),
        (float("nan"), 0),
        (10**30, 0),
        (["x"], 0),
    ],
)
def test_times_are_read_as_they_are_written(value: Any, nanoseconds: int) -> None:
    assert read_time(value) == nanoseconds


@given(st.text(), st.integers(), st.floats())
def test_whatever_is_no_time_is_no_error(text: str, number: int, fraction: float) -> None:
    assert min(read_time(text), read_time(number), read_time(fraction)) >= 0


@given(st.binary())
def test_whatever_the_line_is_it_is_no_error(line: bytes) -> None:
    for parse in PARSERS.values():
        fields = parse(line)
        assert fields is None or json.dumps(fields)
