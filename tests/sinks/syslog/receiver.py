"""A receiver of syslog messages as RFC 5424 has them."""

import re
import socket
from dataclasses import replace
from datetime import datetime

from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Receiver, pieces
from tests.sinks.receiving.times import EPOCH

_SYSLOG = re.compile(rb"<(\d+)>1 (\S+) \S+ (\S+) \d+ \S+ - (.*)", re.DOTALL)
_ERR = 3


def serve_syslog(receiver: Receiver, connection: socket.socket, number: int) -> None:
    """Take RFC 5424 messages that end with a newline; the app name is the container's."""
    rest = b""
    for content in pieces(receiver, connection):
        *messages, rest = (rest + content).split(b"\n")
        receiver.take(replace(_of_syslog(message), connection=number) for message in messages)


def _of_syslog(message: bytes) -> Received:
    match = _SYSLOG.fullmatch(message)
    assert match, message
    priority, moment, name, line = match.groups()
    since = datetime.fromisoformat(moment.decode()) - EPOCH
    source = "stderr" if int(priority) & 7 == _ERR else "stdout"
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return Received(name.decode(), source, line, microseconds * 1000)


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"syslog-address": f"tcp://{address}", "syslog-format": "rfc5424micro", "tag": "{{.Name}}"}


PROTOCOL = serve_syslog
