"""Redaction: what is replaced, what is not, in lines and in fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.shaping_kinds import SENSITIVE
from plugin.transforms.sensitive import KINDS, is_card
from tests.transforms.lines import lines_of, one, record, records, shaped

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
AWS = "AKIA" + "IOSFODNN7EXAMPLE"


def redacted(kinds: str, line: str, **more: str) -> str:
    given = {"redact": kinds, "redact-with": "<{name}>"}
    return one(given | {name.replace("_", "-"): text for name, text in more.items()}, line).line.decode()


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("email", "to bob.b+x@mail.example.co.uk, now", "to <email>, now"),
        ("email", "a@b and user@localhost", "a@b and user@localhost"),
        ("ipv4", "from 10.0.0.255:80 to 256.1.1.1", "from <ipv4>:80 to 256.1.1.1"),
        ("ipv4", "1.2.3.4 5.6.7.8", "<ipv4> <ipv4>"),
        ("ipv6", "at [2001:db8::1]:80 and fe80::1%eth0", "at [<ipv6>]:80 and <ipv6>%eth0"),
        ("ipv6", "1:2:3:4:5:6:7:8 x", "<ipv6> x"),
        ("ipv6", "12:00:00 std::vector Foo::abc a::b::c ::", "12:00:00 std::vector Foo::abc a::b::c ::"),
        ("ipv6", "peer=::1", "peer=<ipv6>"),
        ("mac", "at 00:1B:44:11:3a:b7.", "at <mac>."),
        ("card", "4111 1111 1111 1111, 4111111111111111 and 4111-1111-1111-1111", "<card>, <card> and <card>"),
        ("card", "4111 1111 1111 1112 and 1234567890123456", "4111 1111 1111 1112 and 1234567890123456"),
        ("card", "378282246310005", "<card>"),
        ("iban", "DE89 3704 0044 0532 0130 00 GB82WEST12345698765432", "<iban> <iban>"),
        ("iban", "DE89370400440532013001", "DE89370400440532013001"),
        ("us-ssn", "536-90-4399 000-12-3456 666-12-3456 912-12-3456", "<us-ssn> 000-12-3456 666-12-3456 912-12-3456"),
        ("jwt", f"token {JWT}.", "token <jwt>."),
        ("bearer", "Authorization: Bearer abcdef.123456==", "Authorization: Bearer <bearer>"),
        ("bearer", "the bearer of it", "the bearer of it"),
        ("basic-auth", "authorization=Basic dXNlcjpwYXNz", "authorization=Basic <basic-auth>"),
        ("password", "password=hunter2 user=bob", "password=<password> user=bob"),
        ("password", '{"password": "a\\"b", "x": 1}', '{"password": "<password>", "x": 1}'),
        ("password", "api_key: 'abc def'", "api_key: '<password>'"),
        ("password", "?client_secret=abc&x=1", "?client_secret=<password>&x=1"),
        ("password", "the password is wrong", "the password is wrong"),
        ("url-password", "postgres://bob:pa$$w0rd@db:5432/x", "postgres://bob:<url-password>@db:5432/x"),
        ("url-password", "http://example.com:80/@x", "http://example.com:80/@x"),
        ("aws-key", f"key {AWS} end", "key <aws-key> end"),
        ("aws-key", "aws_secret_access_key = " + "a/B+" * 10, "aws_secret_access_key = <aws-key>"),
        ("github-token", "ghp_" + "a1" * 18, "<github-token>"),
        ("gitlab-token", "glpat-" + "a1-_" * 5, "<gitlab-token>"),
        ("slack-token", "xoxb-" + "1234567890-abc", "<slack-token>"),
        ("google-key", "AIza" + "B" * 35, "<google-key>"),
        ("stripe-key", "sk_live_" + "a1" * 10, "<stripe-key>"),
        (
            "private-key",
            "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY----- x",
            "<private-key> x",
        ),
    ],
)
def test_what_is_told_is_replaced_and_nothing_else(kind: str, line: str, expected: str) -> None:
    assert redacted(kind, line) == expected


def test_every_kind_is_known() -> None:
    assert sorted(KINDS) == sorted(SENSITIVE)


def test_the_text_in_place_of_it_names_what_it_was_by_default() -> None:
    assert one({"redact": "email"}, "a@example.com").line == b"[REDACTED email]"
    assert one({"redact": "email", "redact-with": ""}, "x a@example.com").line == b"x "


class TestPatterns:
    def test_the_whole_match_is_replaced_without_groups(self) -> None:
        assert redacted("", "order 12345 of bob", redact_pattern=r"\d{5}") == "order <pattern> of bob"

    def test_with_groups_only_these_are(self) -> None:
        assert redacted("", "user=bob id=7", redact_pattern=r"user=(\w+) id=(\d+)") == "user=<pattern> id=<pattern>"

    def test_there_may_be_several(self) -> None:
        made = one({"redact-pattern.user": "bob", "redact-pattern.id": r"\d+", "redact-with": "<{name}>"}, "bob 7")

        assert made.line == b"<user> <id>"

    def test_one_that_matches_nothing_at_all_does_no_harm(self) -> None:
        assert redacted("", "abc", redact_pattern="x*") == "abc"

    def test_nested_quantifiers_take_no_longer(self) -> None:
        line = "a" * 2**20 + "!"

        assert redacted("", line, redact_pattern="(?:a+)+$") == line


class TestFields:
    def test_are_redacted_wherever_they_are(self) -> None:
        line = '{"who":"a@example.com","deep":[{"x":"b@example.com"}],"c@example.com":1,"msg":"d@example.com"}'
        made = one({"parse": "json", "redact": "email", "redact-with": "#"}, line)

        assert made.line == b"#"
        assert made.fields == {"who": "#", "deep": [{"x": "#"}], "#": 1}

    def test_numbers_can_be_cards(self) -> None:
        made = one({"parse": "json", "redact": "card", "redact-with": "#"}, '{"card":4111111111111111,"n":5,"b":true}')

        assert made.fields == {"card": "#", "n": 5, "b": True}

    def test_the_name_tells_a_password(self) -> None:
        line = '{"db":{"Password":"x","passwords":["y"]},"api_key":7,"secret":"","password":null}'
        made = one({"parse": "json", "redact": "password", "redact-with": "#"}, line)

        assert made.fields == {
            "db": {"Password": "#", "passwords": ["y"]},
            "api_key": "#",
            "secret": "",
            "password": None,
        }

    def test_what_json_has_escaped_is_redacted(self) -> None:
        made = one({"parse": "json", "redact": "email", "redact-with": "#"}, r'{"a":"x@example.com"}')

        assert made.fields == {"a": "#"}


class TestPrivateKeysOfSeveralLines:
    KEY = ("-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBg", "kqhkiG9w0BAQ==", "-----END PRIVATE KEY-----")

    def test_are_replaced_line_by_line(self) -> None:
        made = shaped({"redact": "private-key", "redact-with": "#"}, records(["a", *self.KEY, "b"]))

        assert lines_of(made) == ["a", "#", "#", "#", "#", "b"]

    def test_are_replaced_on_each_stream_apart(self) -> None:
        fed = [record(self.KEY[0], 0, "stderr"), record("b", 1), record(self.KEY[1], 2, "stderr")]

        assert lines_of(shaped({"redact": "private-key", "redact-with": "#"}, fed)) == ["#", "b", "#"]

    def test_are_replaced_although_their_beginning_is_dropped(self) -> None:
        made = shaped({"redact": "private-key", "redact-with": "#", "exclude": "BEGIN"}, records(self.KEY))

        assert lines_of(made) == ["#", "#", "#", "#"]

    def test_that_do_not_end_are_given_up(self) -> None:
        made = shaped({"redact": "private-key", "redact-with": "#"}, records([self.KEY[0], *["x"] * 1000]))

        assert lines_of(made).count("#") == 401


@pytest.mark.parametrize(
    "line",
    [
        b"1" * 2**20,
        b"1 " * 2**19,
        b"4111111111111111 " * 60_000,
        b"a@" * 2**19,
        b"a." * 2**19 + b"@",
        b":" * 2**20,
        b"::" * 2**19 + b"1",
        b"eyJ" * 300_000,
        b"://" * 300_000,
        b"password=" * 100_000,
        b"-----BEGIN PRIVATE KEY-----" * 30_000,
        b"AAAA" * 2**18,
        b"\xff" * 2**20,
    ],
    ids=lambda line: repr(line[:12]),
)
def test_hostile_lines_are_no_harm(line: bytes) -> None:
    assert one({"redact": "all"}, line).line is not None


@given(st.integers(10**12, 10**19))
def test_of_ten_numbers_that_differ_in_the_last_digit_at_most_one_is_a_card(number: int) -> None:
    assert sum(is_card(str(number // 10 * 10 + digit).encode()) for digit in range(10)) <= 1


@given(st.binary())
def test_whatever_the_line_is_it_is_no_error(line: bytes) -> None:
    assert one({"redact": "all"}, line).source == "stdout"


def test_where_a_pattern_is_found_too_often_all_that_is_left_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each match of this one takes a search to the end of the line: all of them would take minutes for a large one."""
    monkeypatch.setattr("plugin.transforms.patterns._LONGEST_SEARCH", 400 * 100)
    given = {"redact-pattern": "a.*b|a", "redact-with": "#"}

    assert one(given, "a" * 200 + "-" * 200).line == b"#" * 101
    assert one(given, "-a" * 100 + "-" * 200).line == b"-#" * 100 + b"-" * 200
