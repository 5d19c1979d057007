"""The receiver of datagrams itself."""

import os
import resource
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.sinks.gelf.receiver import GelfDatagrams
from tests.testbed.waiting import wait_until

_FIRST_ABOVE = 1024  # select(2) has room for descriptors up to 1023


@pytest.fixture
def only_high_descriptors() -> Iterator[None]:
    """Use up all descriptors below 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * _FIRST_ABOVE), hard))
    used = [os.open(os.devnull, os.O_RDONLY)]
    while used[-1] < _FIRST_ABOVE - 1:
        used.append(os.dup(used[0]))
    yield
    for descriptor in used:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("only_high_descriptors")
def test_datagrams_arrive_at_a_descriptor_above_1023(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    with GelfDatagrams() as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        message = b'{"version":"1.1","host":"h","short_message":"one","timestamp":1,"level":6,"_container_name":"web"}'
        sender.sendto(message, ("127.0.0.1", receiver.port))
        wait_until(lambda: [record.line for record in receiver.received] == [b"one"], "the message arrives")
    assert not failures
