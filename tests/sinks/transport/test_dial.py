"""What an address stands for, and who is asked for it; connecting is tested with connections."""

import asyncio
import socket

import pytest

from plugin.sinks.transport.dial import Address, look_up


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_an_ip_address_is_nothing_to_be_looked_up(
    monkeypatch: pytest.MonkeyPatch, host: str, family: socket.AddressFamily
) -> None:
    async def drive() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", lambda *_arguments, **_options: loop.create_future())
        ((found, protocol, address),) = await look_up(Address(host, 514), socket.SOCK_STREAM)
        assert (found, protocol, address[:2]) == (family, socket.IPPROTO_TCP, (host, 514))

    asyncio.run(drive())


def test_a_name_without_an_address_is_told() -> None:
    with pytest.raises(OSError, match=r"[Nn]ame or service not known|[Nn]o address|failure in name resolution"):
        asyncio.run(look_up(Address("name.invalid", 514), socket.SOCK_STREAM))


def test_addresses_are_written_for_people() -> None:
    assert [str(Address("::1", 514)), str(Address("host", 1)), str(Address(path="/a"))] == [
        "[::1]:514",
        "host:1",
        "/a",
    ]
