import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, Sink
from plugin.sinks.syslog.encoder import stamp_rfc3164, stamp_rfc3339
from plugin.sinks.syslog.local_socket import LocalSyslog
from plugin.sinks.transport.datagram import unpack
from tests.sinks.factories import TIME, origin_of, records_of, sink_of
from tests.sinks.strategies import SECOND, batches
from tests.sinks.syslog.rsyslog import Rsyslog, rsyslog
from tests.testbed.ports import CLOSED_PORT

PID = str(os.getpid()).encode()
TAG = b"8c1f8c1f8c1f"


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is an hour before UTC in winter, two hours in summer."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


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
    assert b" my_app\xc3\xa4_ " in one(syslog(form="rfc5424"), origin=origin_of(tag="my appä\n"))
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


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"syslog_address": "http://host"}, "unsupported scheme 'http'"),
        ({"syslog_address": "tcp+tsl://host"}, r"did you mean 'tcp\+tls'"),
        ({"syslog_address": "host:514"}, "scheme"),
        ({"syslog_address": "tcp://host:x"}, "'x' is not"),
        ({"syslog_address": "unix://"}, "names no socket"),
        ({"syslog_facility": "24"}, "'24' is not a facility"),
        ({"syslog_facility": "deamon"}, "did you mean 'daemon'"),
        ({"syslog_format": "rfc5425"}, "did you mean 'rfc5424'"),
        ({"syslog_tls_skip_verify": "yes"}, "not a boolean"),
    ],
)
def test_options_are_refused_with_what_is_expected(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError, match=fault):
        sink_of(**options)


def test_a_missing_certificate_file_is_said_to_be_out_of_sight() -> None:
    with pytest.raises(MisconfiguredError, match="/etc/peavey"):
        syslog("tcp+tls://host", syslog_tls_ca_cert="/nowhere/ca.pem")


# The real server.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    with rsyslog(tmp_path_factory.mktemp("rsyslog")) as receiver:
        yield receiver


async def deliver(sink: Sink[Any], *batches: list[bytes]) -> None:
    try:
        for lines in batches:
            await sink.send(sink.encode(records_of(sink, lines)))
    finally:
        await sink.close()


def addresses(server: Rsyslog) -> dict[str, str]:
    return {
        "udp": f"udp://127.0.0.1:{server.udp}",
        "tcp": f"tcp://localhost:{server.tcp}",
        "unix": f"unix://{server.stream}",
        "unixgram": f"unixgram://{server.gram}",
    }


def received(server: Rsyslog, mark: str, count: int) -> list[dict[str, Any]]:
    return [message for message in server.messages(count) if mark in message["text"]]


@pytest.mark.parametrize("scheme", ["udp", "tcp", "unix"])
@pytest.mark.parametrize("form", ["rfc3164", "rfc5424", "rfc5424micro"])
def test_rsyslog_understands_every_part(server: Rsyslog, scheme: str, form: str) -> None:
    mark = f"{scheme}-{form}"
    before = len(server.messages(0))
    asyncio.run(deliver(syslog(addresses(server)[scheme], form), [f"{mark} ü".encode()]))
    (message,) = received(server, mark, before + 1)
    assert (message["pri"], message["host"], message["app"], message["pid"]) == (
        "30",
        "node1",
        TAG.decode(),
        PID.decode(),
    )
    assert message["text"].strip() == f"{mark} ü"
    if form != "rfc3164":
        fraction = ".123456" if form == "rfc5424micro" else ""
        assert message["time"] == f"2023-11-14T23:13:20{fraction}+01:00"
        assert message["message_id"] == TAG.decode()
    else:
        assert "-11-14T23:13:20" in message["time"]


@pytest.mark.parametrize("scheme", ["udp", "tcp", "unix", "unixgram"])
def test_rsyslog_gets_all_lines_in_order(server: Rsyslog, scheme: str) -> None:
    before = len(server.messages(0))
    batches = [[f"order-{scheme} {batch * 1000 + number}".encode() for number in range(1000)] for batch in range(3)]
    asyncio.run(deliver(syslog(addresses(server)[scheme]), *batches))
    texts = [message["text"].strip() for message in received(server, f"order-{scheme} ", before + 3000)]
    assert texts == [line.decode() for batch in batches for line in batch]


@pytest.mark.parametrize("socket_name", ["gram", "stream"])
def test_the_local_socket_takes_datagrams_or_a_stream(server: Rsyslog, socket_name: str) -> None:
    before = len(server.messages(0))
    sink = sink_of(sink="syslog")
    payload = sink.encode(records_of(sink, [f"local-{socket_name} 1".encode(), f"local-{socket_name} 2".encode()]))
    route = LocalSyslog((str(server.stream) + "-no", str(getattr(server, socket_name))))

    async def send() -> None:
        await route.send(payload)
        await route.close()

    asyncio.run(send())
    texts = [message["text"].strip() for message in received(server, f"local-{socket_name}", before + 2)]
    assert texts == [f"local-{socket_name} 1", f"local-{socket_name} 2"]


def test_a_missing_local_socket_is_explained() -> None:
    with pytest.raises(RetryError, match="a managed plugin does not see the host's sockets"):
        asyncio.run(LocalSyslog(("/nowhere/log",)).send(b""))
    with pytest.raises(RetryError, match="/etc/peavey"):
        asyncio.run(deliver(syslog("unixgram:///nowhere/log"), [b"x"]))


def test_a_server_that_restarts_gets_what_follows(tmp_path: Path) -> None:
    with rsyslog(tmp_path) as server:
        sink = syslog(addresses(server)["tcp"])

        async def drive() -> None:
            await sink.send(one(sink, b"before"))
            server.messages(1)
            server.stop()
            with pytest.raises(RetryError):
                await sink.send(one(sink, b"after"))
            server.start()
            await sink.send(one(sink, b"after"))
            await sink.close()

        asyncio.run(drive())
        assert [message["text"].strip() for message in server.messages(2)] == ["before", "after"]


def test_udp_to_a_port_where_nobody_listens_is_noticed() -> None:
    with pytest.raises(RetryError, match="refused"):
        asyncio.run(deliver(syslog(f"udp://127.0.0.1:{CLOSED_PORT}"), [b"x"] * 3))


# TLS, with an authority of the tests' own.


class Certificates:
    def __init__(self, folder: Path) -> None:
        self.ca, self.server, self.key, self.client = (str(folder / name) for name in ("ca", "server", "key", "client"))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        server = authority.issue_cert("localhost")
        server.cert_chain_pems[0].write_to_path(self.server)
        server.private_key_pem.write_to_path(self.key)
        authority.issue_cert("client@example.org").private_key_and_cert_chain_pem.write_to_path(self.client)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Rsyslog]:
    files = (
        f'defaultNetstreamDriverCAFile="{certificates.ca}" defaultNetstreamDriverCertFile="{certificates.server}"'
        f' defaultNetstreamDriverKeyFile="{certificates.key}"'
    )
    driver = 'streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid"'
    with rsyslog(tmp_path_factory.mktemp("rsyslog"), driver, files) as receiver:
        yield receiver


@pytest.mark.parametrize("form", ["rfc3164", "rfc5424micro"])
def test_rsyslog_gets_lines_over_tls_with_our_certificate(
    tls_server: Rsyslog, certificates: Certificates, form: str
) -> None:
    before = len(tls_server.messages(0))
    sink = syslog(
        f"tcp+tls://localhost:{tls_server.tcp}",
        form,
        syslog_tls_ca_cert=certificates.ca,
        syslog_tls_cert=certificates.client,
        syslog_tls_key=certificates.client,
    )
    lines = [f"tls-{form} {number}".encode() for number in range(2000)]
    asyncio.run(deliver(sink, lines[:1000], lines[1000:]))
    messages = received(tls_server, f"tls-{form}", before + 2000)
    assert [message["text"].strip().encode() for message in messages] == lines


@pytest.mark.parametrize(
    ("host", "trusts"), [("127.0.0.1", True), ("localhost", False)], ids=["wrong name", "unknown authority"]
)
def test_a_certificate_that_does_not_match_is_a_misconfiguration(
    tls_server: Rsyslog, certificates: Certificates, host: str, trusts: bool
) -> None:
    options = {"syslog_tls_ca_cert": certificates.ca} if trusts else {}
    with pytest.raises(MisconfiguredError, match="certificate of"):
        asyncio.run(deliver(syslog(f"tcp+tls://{host}:{tls_server.tcp}", **options), [b"x"]))


def test_a_server_that_wants_a_certificate_and_gets_none_has_not_acknowledged(
    tls_server: Rsyslog, certificates: Certificates
) -> None:
    sink = syslog(f"tcp+tls://localhost:{tls_server.tcp}", syslog_tls_ca_cert=certificates.ca)
    with pytest.raises((MisconfiguredError, RetryError)):
        asyncio.run(deliver(sink, [b"x"]))


def test_verification_can_be_switched_off(tls_server: Rsyslog, certificates: Certificates) -> None:
    before = len(tls_server.messages(0))
    sink = syslog(
        f"tcp+tls://127.0.0.1:{tls_server.tcp}", syslog_tls_skip_verify="true", syslog_tls_cert=certificates.client
    )
    asyncio.run(deliver(sink, [b"unverified"]))
    assert len(received(tls_server, "unverified", before + 1)) == 1
