"""Levels: how they are written, and where in a line they are found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.transforms.levels import level_in, level_number
from tests.transforms.lines import one


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("info", 9),
        ("INFO", 9),
        (" Warning ", 13),
        ("W", 13),
        ("core:error", 17),
        ("Critical", 21),
        ("crit", 18),
        ("notice", 10),
        ("trace", 1),
        ("panic", 21),
        (0, 21),
        (3, 17),
        ("3", 17),
        (7, 5),
        (30, 9),
        (60, 21),
        ("loud", 0),
        ("²", 0),
        ("", 0),
        (8, 0),
        (-1, 0),
        (True, 0),
        (None, 0),
        (3.0, 0),
        ([], 0),
    ],
)
def test_a_level_has_the_number_of_opentelemetry(value: Any, severity: int) -> None:
    assert level_number(value) == severity


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("2026-01-31 12:00:00,123 ERROR foo", 17),
        ("2026-01-31T12:00:00.123Z WARN x", 13),
        ("2026-01-31T12:00:00.123+01:00  INFO 1 --- [main] c.e.Foo : x", 9),
        ("12:00:00.123 [main] DEBUG c.F - x", 5),
        ("[2026-01-31 12:00:00 +0000] [7] [INFO] Booting", 9),
        ("2026/01/31 12:00:00 [error] 1#1: x", 17),
        ("2026-01-31 12:00:00.000 UTC [1] LOG:  x", 9),
        ("2026-01-31 12:00:00.000 UTC [1] FATAL:  x", 21),
        ("1:M 01 Jan 2026 12:00:00.000 * Ready", 10),
        ("1:M 01 Jan 2026 12:00:00.000 # Ready", 13),
        ("E0102 15:04:05.0 1 a.go:1] x", 17),
        ("[warn] x", 13),
        ("2026-01-31T12:00:00.123456Z [warning  ] x    order=7", 13),
        ("\x1b[2m2026-01-31T12:00:00.123456Z\x1b[0m [\x1b[31m\x1b[1merror    \x1b[0m] \x1b[1mx\x1b[0m", 17),
        ("2026-01-31T12:00:00.123Z\t\x1b[33mWARN\x1b[0m\tmain.go:7\tx", 13),
        ("Error: x", 17),
        ("warning: x", 13),
        ("INFO:root:hi", 9),
        ("fail: A.B[0]", 17),
        ("time=2026 level=warn msg=x", 13),
        ('{"level":"error"}', 17),
        ("ERROR", 17),
        ("ERRORS", 0),
        ("errors found 3", 0),
        ("hello error: x", 0),
        ("Information about", 0),
        ("Error handling on", 0),
        ("", 0),
    ],
)
def test_a_level_is_found_where_a_line_begins(line: str, severity: int) -> None:
    assert level_in(line.encode()) == severity


def test_a_stream_implies_a_level() -> None:
    assert one({"detect-level": "true"}, "hello").severity == 9
    assert one({"detect-level": "true"}, "hello", "stderr").severity == 17
    assert one({"detect-level": "true"}, "WARN hello", "stderr").severity == 13


def test_nothing_is_looked_for_unless_it_is_asked_for() -> None:
    assert one({"exclude": "x"}, "ERROR hello").severity == 0
    assert one({"parse": "json", "detect-level": "false"}, "ERROR hello").severity == 0


@given(st.binary())
def test_whatever_the_line_is_it_is_no_error(line: bytes) -> None:
    assert 0 <= level_in(line) <= 24
