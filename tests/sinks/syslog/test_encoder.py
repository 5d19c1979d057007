"""Messages of syslog, as Docker's driver makes them."""

import os
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.sinks.base import Record, RejectError, Sink
from plugin.sinks.syslog.encoder import stamp_rfc3164, stamp_rfc3339
from plugin.sinks.transport.datagram import unpack
from tests.sinks.factories import TIME, origin_of, records_of, sink_of
from tests.sinks.strategies import SECOND, batches

PID = str(os.getpid()).encode()
TAG = b"8c1f8c1f8c1f"


def syslog(address: str = "tcp://127.0.0.1", form: str = "", **options: str) -> Sink[Any]:
    return sink_of(syslog_address=address, syslog_format=form, **options)


def one(sink: Sink[Any], line: bytes = b"hello", **more: Any) -> bytes:
    return sink.encode(records_of(sink, [line], **more))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("", b"<30>Nov 14 23:13:20 " + TAG + b"[" + PID + b"]: hello\n"),
        ("rfc3164", b"<30>Nov 14 23:13:20 node1 " + TAG + b"[" + PID + b"]: hello\n"),
        ("rfc5424", b"<30>1 2023-11-14T23:13:20+01:00 node1 " + TAG + b" " + PID + b" " + TAG + b" - hello\n"),
        (
            "rfc5424micro",
            b"<30>1 2023-11-14T23:13:20.123456+01:00 node1 " + TAG + b" " + PID + b" " + TAG + b" - hello\n",
        ),
    ],
    ids=["none", "rfc3164", "rfc5424", "rfc5424micro"],
)
def test_messages_are_those_of_dockers_driver_with_the_lines_own_time(form: str, message: bytes) -> None:
    assert one(syslog(form=form)) == message


def test_utc_is_written_as_z_and_days_of_one_digit_with_a_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    second = 1_709_286_305  # 2024-03-01T09:45:05Z
    assert b" 2024-03-01T09:45:05Z " in one(syslog(form="rfc5424"), time=second * 10**9)
    assert b" 2024-03-01T09:45:05.000999Z " in one(syslog(form="rfc5424micro"), time=second * 10**9 + 999_999)
    assert one(syslog(), time=second * 10**9).startswith(b"<30>Mar  1 09:45:05 8c1f")


def test_each_line_has_its_own_time_and_source() -> None:
    sink = syslog(form="rfc3164")
    records = [
        *records_of(sink, [b"a"], source="stderr"),
        *records_of(sink, [b"b"], time=TIME + 10**9),
        *records_of(sink, [b"c"], origin_of(tag="other")),
    ]
    assert sink.encode(records) == (
        b"<27>Nov 14 23:13:20 node1 8c1f8c1f8c1f[%b]: a\n"
        b"<30>Nov 14 23:13:21 node1 8c1f8c1f8c1f[%b]: b\n"
        b"<30>Nov 14 23:13:20 node1 other[%b]: c\n"
    ) % (PID, PID, PID)


@pytest.mark.parametrize(
    ("facility", "code"),
    [("kern", 0), ("daemon", 3), ("ftp", 11), ("local0", 16), ("local7", 23), ("0", 0), ("12", 12), ("23", 23)],
)
def test_facilities_have_names_or_numbers(facility: str, code: int) -> None:
    assert one(syslog(syslog_facility=facility)).startswith(b"<%d>" % (8 * code + 6))


def test_octets_are_counted_for_rfc5424_over_tls_only() -> None:
    tls = "tcp+tls://127.0.0.1"
    for form in ("rfc5424", "rfc5424micro"):
        message = one(syslog(form=form))
        assert one(syslog(tls, form)) == b"%d %b" % (len(message), message)
    for form in ("", "rfc3164"):
        assert one(syslog(tls, form)) == one(syslog(form=form))


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_counted_lines_keep_all_their_bytes(lines: list[bytes]) -> None:
    sink = syslog("tcp+tls://127.0.0.1", "rfc5424")
    rest = sink.encode(records_of(sink, lines))
    found = []
    while rest:
        count, _, rest = rest.partition(b" ")
        message, rest = rest[: int(count)], rest[int(count) :]
        found.append(message.split(b" ", 7)[7].removesuffix(b"\n"))
    assert found == [line for line in lines if line]


def test_a_newline_in_a_line_cannot_begin_a_message() -> None:
    assert one(syslog(), b"a\n<0>b\xff\0").endswith(b": a#012<0>b\xff#000\n")


def test_what_would_end_a_field_of_the_header_is_replaced() -> None:
    assert b" my_app__ " in one(syslog(form="rfc5424"), origin=origin_of(tag="my appä\n"))
    assert " node1 my appä_[".encode() in one(syslog(form="rfc3164"), origin=origin_of(tag="my appä\n"))


def test_datagrams_hold_one_message_each_and_long_lines_go_in_parts_of_16_kib() -> None:
    sink = syslog("udp://127.0.0.1")
    line = bytes(range(11, 256)) * 200
    first, *parts = unpack(sink.encode(records_of(sink, [b"short", b"", line])))
    assert bytes(first).endswith(b": short\n")
    texts = [bytes(part).split(b": ", 1)[1].removesuffix(b"\n") for part in parts]
    assert b"".join(texts) == line
    assert [len(text) for text in texts] == [16_384, 16_384, 49_000 - 2 * 16_384]


@pytest.mark.parametrize("second", [2**63, 253_402_300_800, -62_167_305_600])
def test_a_time_that_has_no_year_of_four_digits_is_rejected(second: int) -> None:
    for stamp in (stamp_rfc3339, stamp_rfc3164):
        with pytest.raises(RejectError, match="four digits"):
            stamp(second)


def plainly(record: Record, form: str) -> bytes:
    """Write one record without regard to any other."""
    if not record.line:
        return b""
    seconds, nanos = divmod(record.time_nano, SECOND)
    before, after = (stamp_rfc3339 if form.startswith("rfc5424") else stamp_rfc3164)(seconds)
    fraction = b".%06d" % (nanos // 1000) if form == "rfc5424micro" else b""
    lead = record.prepared.out if record.source == "stdout" else record.prepared.err
    line = record.line.replace(b"\n", b"#012").replace(b"\0", b"#000")
    return b"".join((lead, before, fraction, after, record.prepared.tail, line, b"\n"))


@pytest.mark.parametrize("form", ["", "rfc3164", "rfc5424", "rfc5424micro"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_batch_is_its_records_one_by_one(form: str, data: st.DataObject) -> None:
    sink = syslog(form=form)
    records = data.draw(batches([sink.prepare(origin_of(tag=tag)) for tag in ("web", "db")]))
    assert sink.encode(records) == b"".join([plainly(record, form) for record in records])
