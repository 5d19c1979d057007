"""What shaping logs costs: log-opts and lines of 190 bytes for each transform, and what has to be reached."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SIZE = 190
"""Bytes of a line, without its newline."""

_BEGIN = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
_NANOSECONDS = 1e9


@dataclass(frozen=True)
class Case:
    """Log-opts, and the lines that they are measured with; ``lines_per_second`` is what a processor should reach."""

    name: str
    log_opts: Mapping[str, str]
    line: Callable[[int], bytes]
    lines_per_second: int | None = None
    cost: float | None = field(init=False)
    """The same as nanoseconds a line."""

    def __post_init__(self) -> None:
        """Derive the cost."""
        cost = None if self.lines_per_second is None else _NANOSECONDS / self.lines_per_second
        object.__setattr__(self, "cost", cost)


def _mixed(number: int) -> int:
    return number * 2_654_435_761 & 0xFFFF_FFFF


def _time(number: int) -> str:
    return (_BEGIN + dt.timedelta(milliseconds=number)).isoformat(timespec="milliseconds")


def _padded(text: str) -> bytes:
    return text.encode()[:SIZE].ljust(SIZE, b".")


def plain_line(number: int) -> bytes:
    """Make a line as a service prints it, with nothing in it to be joined or redacted."""
    level = "WARN " if number % 50 == 0 else "INFO "
    return _padded(
        f"{_time(number)} {level} [worker-{number % 8}] shop.orders.OrderService - order {_mixed(number):08x} of "
        f"customer {_mixed(number) % 9_000} is packed and was handed to the carrier, to arrive within {number % 5} days"
    )


def telling_line(number: int) -> bytes:
    """Make a line in which there is something to redact."""
    mixed = _mixed(number)
    return _padded(
        f"{_time(number)} INFO  [worker-{number % 8}] shop.orders.OrderService - order {mixed:08x} of "
        f"customer{mixed % 9_000}@example.com, who came from 10.{mixed >> 8 & 0xFF}.{mixed & 0xFF}.7, is packed"
    )


def json_line(number: int) -> bytes:
    """Make a line as a structured logger prints it."""
    members = {
        "time": _time(number),
        "level": "info",
        "logger": "shop.orders",
        "msg": "order is packed",
        "order": f"{_mixed(number):08x}",
        "customer": _mixed(number) % 9_000,
        "took_ms": number % 4_000 / 8,
        "fragile": number % 3 == 0,
    }
    size = len(json.dumps(members | {"thread": ""}, separators=(",", ":")))
    return json.dumps(members | {"thread": "w" * (SIZE - size)}, separators=(",", ":")).encode()


def logfmt_line(number: int) -> bytes:
    """Make a line in logfmt."""
    mixed = _mixed(number)
    text = (
        f'time={_time(number)} level=info logger=shop.orders msg="order is packed" order={mixed:08x} '
        f"customer={mixed % 9_000} took={number % 4_000 / 8}ms thread="
    )
    return text.encode().ljust(SIZE, b"w")


def access_line(number: int) -> bytes:
    """Make a line of an access log."""
    mixed = _mixed(number)
    text = (
        f"10.0.{mixed >> 8 & 0xFF}.{mixed & 0xFF} - - [29/Nov/2026:12:00:{number % 60:02} +0000] "
        f'"GET /items/{mixed:08x} HTTP/1.1" 200 {mixed % 90_000} "-" "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)'
    )
    return text.encode().ljust(SIZE - 1, b" ") + b'"'


CASES = (
    Case("multiline=auto, nothing to join", {"multiline": "auto"}, plain_line, 1_000_000),
    Case("multiline-pattern, nothing to join", {"multiline-pattern": r"^\d{4}-\d\d-\d\d"}, plain_line, 1_000_000),
    Case("parse=json", {"parse": "json"}, json_line, 700_000),
    Case("parse=logfmt", {"parse": "logfmt"}, logfmt_line),
    Case("parse=nginx", {"parse": "nginx"}, access_line),
    Case(
        "parse-pattern, four fields",
        {"parse-pattern": r"^(?P<time>\S+) (?P<level>\w+) +\[(?P<thread>[^\]]*)\] (?P<logger>\S+) - "},
        plain_line,
    ),
    Case("detect-level", {"detect-level": "true"}, plain_line),
    Case("exclude, nothing dropped", {"exclude": "GET /health", "exclude.2": r"\bDEBUG\b"}, plain_line),
    Case("include, nothing dropped", {"include": "Order|Payment"}, plain_line),
    Case("min-level=warn", {"min-level": "warn"}, plain_line),
    Case("redact=all, nothing found", {"redact": "all"}, plain_line, 500_000),
    Case("redact=email,ipv4, both found", {"redact": "email,ipv4"}, telling_line),
    Case("parse=json, redact=all, nothing found", {"parse": "json", "redact": "all"}, json_line),
    Case("sample=0.5", {"sample": "0.5", "sample-all": "true"}, plain_line),
    Case("rate-limit, nothing dropped", {"rate-limit": "1000000/s"}, plain_line),
    Case("dedupe, nothing equal", {"dedupe": "1s"}, plain_line),
    Case("add-field, drop-field", {"parse": "json", "add-field.region": "eu", "drop-field": "fragile"}, json_line),
    Case(
        "multiline, parse, redact, rate-limit",
        {"multiline": "auto", "parse": "json", "redact": "all", "rate-limit": "1000000/s"},
        json_line,
    ),
    Case(
        "loki-pipeline-stages: json, labels, timestamp, output",
        {
            "loki-url": "http://127.0.0.1",
            "loki-pipeline-stages": (
                "[{json: {expressions: {level: level, time: time, msg: msg}}}, {labels: {level: level}}, "
                "{timestamp: {source: time, format: RFC3339}}, {output: {source: msg}}]"
            ),
        },
        json_line,
    ),
    Case(
        "loki-pipeline-stages: regex, labels",
        {
            "loki-url": "http://127.0.0.1",
            "loki-pipeline-stages": (
                r"[{regex: {expression: '^\S+ (?P<level>\w+) +\[(?P<thread>[^\]]*)\]'}}, {labels: {level: level}}]"
            ),
        },
        plain_line,
    ),
)
"""The transforms that are measured; those that have goals are they of which the design says them."""

BY_NAME = {case.name: case for case in CASES}

FLUENT_BIT: Mapping[str, float] = {
    "`tail` of json-file, to Loki": 3_000,
    "`tail` of json-file, by HTTP": 2_380,
    "from the engine's driver `fluentd`, to Loki": 2_500,
}
"""Nanoseconds of CPU a line of 100 bytes, in all: measured beside Peavey on 2026-11-28, and quoted since."""
