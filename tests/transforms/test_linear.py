"""Lines that are made to take long: what is done for them grows no faster than they do.

What is counted are the lines of Python that run, not seconds. RE2 does the rest, which takes linear time by itself.
"""

import math
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import pytest

from plugin.records.position import Position
from plugin.transforms.pipeline import Pipeline
from tests.transforms.lines import record, stages

SIZE, TIMES = 256, 4
SLACK = 300  # lines of Python, for what happens once

LINES: Mapping[str, Callable[[int], bytes]] = {
    "braces": lambda size: b"{" * size,
    "brackets": lambda size: b"[" * size,
    "deep JSON": lambda size: b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6),
    "wide JSON": lambda size: b"{" + b",".join(b'"%x":1.5' % n for n in range(size // 10)) + b"}",
    "small numbers": lambda size: b'{"a":[' + b"1e-400," * (size // 7) + b"1]}",
    "digits": lambda size: b"7" * size,
    "JSON of digits": lambda size: b'{"a":' + b"7" * size + b"}",
    "halves of surrogates": lambda size: b'{"a":"' + b"\\ud800" * (size // 6) + b'"}',
    "letters": lambda size: b"a" * size + b"!",
    "equals signs": lambda size: b"=" * size,
    "keys": lambda size: b"a=" * (size // 2),
    "keys without values": lambda size: b"a" + b" a" * (size // 2) + b"=",
    "pairs": lambda size: b"a=1 " * (size // 4),
    "quotes": lambda size: b'"' * size,
    "escaped quotes": lambda size: b'a="' + b'\\"' * (size // 2),
    "backslashes": lambda size: b'a="' + b"\\" * size + b'"',
    "backslashes and quotes": lambda size: b'a="' + b'\\\\\\"' * (size // 4),
    "klog": lambda size: b'I0102 12:00:00.0 1 a.go:1] "a" ' + b'a="b" ' * (size // 6),
    "ANSI": lambda size: b"\x1b[31m" * (size // 5),
    "half of ANSI": lambda size: b"\x1b[" * (size // 2),
    "e-mail": lambda size: b"a@b." * (size // 4),
    "addresses": lambda size: b"a@b.cc " * (size // 7),
    "dots": lambda size: b"1." * (size // 2),
    "colons": lambda size: b":" * size,
    "IPv6": lambda size: b"1:" * (size // 2),
    "IBAN": lambda size: b"DE12 " + b"1234 " * (size // 5),
    "cards": lambda size: b"4111 1111 1111 1112 " * (size // 20),
    "keys that begin": lambda size: b"-----BEGIN PRIVATE KEY-----" * (size // 27),
    "passwords": lambda size: b"password=" * (size // 9),
    "spaces": lambda size: b" " * size,
    "not UTF-8": lambda size: b"\xff" * size,
}
CHAINS: Mapping[str, Mapping[str, str]] = {
    "multiline": {"multiline": "auto"},
    "parse": {"parse": "auto", "parse-time": "a"},
    "redact": {"redact": "all", "redact-pattern": "(.)", "redact-with": "##"},
    "json": {"loki-pipeline-stages": "- json: {expressions: {a: 'a.a.a || b'}}"},
    "logfmt": {"loki-pipeline-stages": "- logfmt: {mapping: {a: }}"},
    "replace": {"loki-pipeline-stages": "- replace: {expression: '(.)', replace: '{{ .Value }}!'}"},
    "template": {
        "loki-pipeline-stages": """- template: {source: a, template: '{{ .Entry | ToUpper | replace "A" "BB" }}'}"""
        """\n- template: {source: b, template: '{{ regexReplaceAll "a" .Entry "bb" }}'}"""
    },
}


def lines_run(given: Mapping[str, str], line: bytes) -> int:
    """Count the lines of Python that run for a line of log."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    pipeline = Pipeline(stages(given), Position(0, 0))
    fed = record(line)
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        pipeline.feed([fed])
        pipeline.flush(math.inf)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", CHAINS)
def test_what_is_done_grows_no_faster_than_the_line(name: str) -> None:
    for kind, make in LINES.items():
        short, long = make(SIZE), make(SIZE * TIMES)
        lines_run(CHAINS[name], short)  # what is made once
        most = lines_run(CHAINS[name], short) * len(long) / len(short) + SLACK
        assert lines_run(CHAINS[name], long) <= most, kind
