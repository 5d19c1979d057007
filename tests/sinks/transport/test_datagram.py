import asyncio
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.sinks.base import RejectError, RetryError, UnavailableError
from plugin.sinks.transport.datagram import LARGEST_UDP, DatagramConnection, joined, pack, unpack
from plugin.sinks.transport.dial import Address, Limits

QUICK = Limits(connect=1, write=0.2)


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_datagrams_come_out_of_a_payload_as_they_went_in(datagrams: list[bytes]) -> None:
    payload = pack(datagrams)
    assert [bytes(datagram) for datagram in unpack(payload)] == datagrams
    assert bytes(joined(payload)) == b"".join(datagrams)


def test_no_datagrams_are_an_empty_payload() -> None:
    assert pack([]) == b""


def send(address: Address, *datagrams: bytes) -> None:
    async def drive() -> None:
        connection = DatagramConnection(address, QUICK)
        try:
            await connection.send(pack(datagrams))
        finally:
            await connection.close()

    asyncio.run(drive())


def udp_receiver() -> socket.socket:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(60)
    return receiver


def test_each_is_sent_by_itself() -> None:
    with udp_receiver() as receiver:
        send(Address("127.0.0.1", receiver.getsockname()[1]), b"one", b"", b"x" * LARGEST_UDP)
        assert [receiver.recv(70_000) for _ in range(3)] == [b"one", b"", b"x" * LARGEST_UDP]


def test_one_that_is_too_long_is_rejected_with_the_limit() -> None:
    with udp_receiver() as receiver, pytest.raises(RejectError, match=r"65,508 bytes are too long .* 65,507"):
        send(Address("127.0.0.1", receiver.getsockname()[1]), b"x" * (LARGEST_UDP + 1))


def test_one_that_is_too_long_for_a_unix_socket_is_rejected(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        with pytest.raises(RejectError, match="too long"):
            send(Address(path=str(tmp_path / "socket")), bytes(10_000_000))


def test_a_unix_socket_whose_reader_is_stuck_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        with pytest.raises(RetryError, match=r"has taken nothing for 0\.2 s"):
            send(Address(path=str(tmp_path / "socket")), *[bytes(1000)] * 1000)


def test_a_refusal_is_noticed_and_the_names_next_address_gets_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    with udp_receiver() as receiver, udp_receiver() as closed:
        dead = closed.getsockname()
        closed.close()

        async def drive() -> None:
            loop = asyncio.get_running_loop()

            async def look_up(*_arguments: object, **_options: object) -> list[object]:
                return [(socket.AF_INET, 2, 17, "", dead), (socket.AF_INET, 2, 17, "", receiver.getsockname())]

            monkeypatch.setattr(loop, "getaddrinfo", look_up)
            connection = DatagramConnection(Address("name", 1))
            with pytest.raises(UnavailableError, match="refused"):
                await connection.send(pack([b"one"]))
            await connection.send(pack([b"one"]))
            await connection.close()

        asyncio.run(drive())
        assert receiver.recv(100) == b"one"


def test_a_name_is_looked_up_again_after_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = []

    async def drive(receiver: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()

        async def look_up(host: str, *_arguments: object, **_options: object) -> list[object]:
            looked_up.append(host)
            return [(socket.AF_INET, 2, 17, "", receiver.getsockname())]

        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        connection = DatagramConnection(Address("name", 1))
        for seconds in (0, 29, 31):
            with monkeypatch.context() as patch:
                patch.setattr(loop, "time", lambda at=now + seconds: at)
                await connection.open()
        await connection.close()

    with udp_receiver() as receiver:
        asyncio.run(drive(receiver))
    assert looked_up == ["name", "name"]


def test_a_name_that_cannot_be_found() -> None:
    with pytest.raises(UnavailableError, match="cannot send to"):
        send(Address("a" * 80, 1), b"x")
