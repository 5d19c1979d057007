import pytest

from plugin.sinks.transport.address import Target, parse_target
from plugin.sinks.transport.dial import Address

SCHEMES = ("udp", "tcp", "unix")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("udp://host:12", Target("udp", Address("host", 12))),
        ("TCP://Host", Target("tcp", Address("Host", 514))),
        ("tcp://[::1]:12", Target("tcp", Address("::1", 12))),
        ("tcp://[fe80::1%25eth0]", Target("tcp", Address("fe80::1%eth0", 514))),
        ("tcp://:12", Target("tcp", Address("localhost", 12))),
        ("tcp://me:secret@host:12/path?x", Target("tcp", Address("host", 12))),
        ("unix:///run/a%20b.sock", Target("unix", Address(path="/run/a b.sock"))),
    ],
)
def test_addresses_are_read_as_by_dockers_drivers(text: str, target: Target) -> None:
    assert parse_target(text, SCHEMES, 514) == target


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "has no scheme"),
        ("host:12", "scheme"),
        ("tcp:host", "scheme"),
        ("tpc://host", "did you mean 'tcp'"),
        ("tcp://host:", "'' is not"),
        ("tcp://host:0", "out of range"),
        ("tcp://::1", "is not"),
        ("tcp://fe80::1:514", "in \\[\\]"),
        ("tcp://[::1", "not an address"),
        ("unix://", "names no socket"),
        ("unix:///a%00b", "names no socket"),
    ],
)
def test_others_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_target(text, SCHEMES, 514)


def test_the_port_may_be_required() -> None:
    with pytest.raises(ValueError, match="has no port"):
        parse_target("tcp://host", SCHEMES)


@pytest.mark.parametrize(
    "text", ["tcp://me:secret@host:x", "tcp://me:secret@host", "tcp://me:secret@[::1", "me:secret@h"]
)
def test_passwords_are_in_no_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|number|address|scheme") as caught:
        parse_target(text, SCHEMES)
    assert "secret" not in str(caught.value)
