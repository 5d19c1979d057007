"""The sink ``syslog``: its options, and a real rsyslog."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, RetryError, Sink
from plugin.sinks.syslog.local_socket import LocalSyslog
from tests.sinks.factories import records_of, sink_of
from tests.sinks.syslog.rsyslog import Rsyslog, rsyslog
from tests.testbed.ports import CLOSED_PORT

PID = str(os.getpid()).encode()
TAG = b"8c1f8c1f8c1f"


def syslog(address: str = "tcp://127.0.0.1", form: str = "", **options: str) -> Sink[Any]:
    return sink_of(syslog_address=address, syslog_format=form, **options)


def one(sink: Sink[Any], line: bytes = b"hello", **more: Any) -> bytes:
    return sink.encode(records_of(sink, [line], **more))


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
