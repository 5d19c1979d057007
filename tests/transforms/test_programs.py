"""Levels and fields of what programs really print."""

from typing import Any

import pytest

from tests.transforms.lines import lines_of, records, shaped
from tests.transforms.programs import program

DEBUG, INFO, NOTICE, WARN, ERROR, FATAL = 5, 9, 10, 13, 17, 21


@pytest.mark.parametrize(
    ("name", "severities"),
    [
        ("logback-dated", [INFO, DEBUG, ERROR, WARN, ERROR, INFO]),
        ("zap", [INFO, DEBUG, ERROR, WARN, FATAL, FATAL]),
        ("zap-json", [INFO, ERROR, WARN, FATAL, FATAL]),
        ("structlog-plain", [INFO, ERROR, INFO, WARN]),
        ("structlog-colors", [INFO, ERROR, INFO, WARN]),
        ("structlog-json", [INFO, ERROR, WARN]),
        ("postgres", [INFO] * 4 + [ERROR, ERROR, WARN, ERROR] + [INFO] * 11),
        ("nginx-error", [NOTICE] * 4 + [ERROR, ERROR, NOTICE, NOTICE]),
        ("redis", [WARN] * 3 + [NOTICE] + [INFO] * 18 + [WARN, WARN, NOTICE, WARN, WARN, WARN]),
    ],
)
def test_levels_are_found(name: str, severities: list[int]) -> None:
    printed = program(name)
    made = shaped(printed.given | {"parse": "json,nginx", "detect-level": "true"}, records(printed.printed))

    assert [each.severity for each in made] == severities


def fields_of(name: str, given: dict[str, str]) -> list[dict[str, Any]]:
    made = shaped(given, records(program(name).printed))
    assert all(each.fields for each in made)
    return [each.fields or {} for each in made]


def test_every_line_of_nginx_has_fields() -> None:
    access = fields_of("nginx-access", {"parse": "nginx"})
    assert [(each["method"], each["path"], each["code"]) for each in access] == [
        ("GET", "/", 200),
        ("GET", "/missing?order=7", 404),
        ("POST", "/api/buy", 502),
        ("GET", "/", 200),
    ]
    assert access[-1]["agent"] == r"say \x22hi\x22"
    errors = fields_of("nginx-error", {"parse": "nginx"})
    assert [each.get("connection") for each in errors] == [None] * 4 + [2, 3] + [None] * 2


def test_structlog_has_its_text_where_parse_message_says() -> None:
    made = shaped({"parse": "json", "parse-message": "event"}, records(program("structlog-json").printed))

    assert lines_of(made) == ["starting", "cannot sell", "going on"]
    assert made[1].fields is not None
    assert made[1].fields["exception"].endswith("RuntimeError: order 7 failed")


def test_zap_has_its_stack_trace_in_a_field() -> None:
    made = shaped({"multiline": "go", "parse": "json"}, records(program("zap-json").printed))

    assert lines_of(made)[:4] == ["starting", "cannot sell", "going on", "no way on"]
    assert made[1].fields is not None
    assert made[1].fields["stacktrace"].startswith("main.buy\n\t")
