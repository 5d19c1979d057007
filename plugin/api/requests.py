"""The engine's requests, decoded: what comes in is checked here, once.

Bodies are JSON without a Content-Type; field names as in moby's ``daemon/logger/proxy.go``.
"""

from typing import TypeVar

import msgspec

from plugin.docker.info import Info, is_container_id
from plugin.docker.times import parse_time
from plugin.errors import RequestError
from plugin.journal.readback import LogQuery

Body = TypeVar("Body", bound=msgspec.Struct)


class StartLogging(msgspec.Struct, frozen=True, kw_only=True):
    """A container starts, or the logs of a stopped one are about to be read."""

    file: str = msgspec.field(name="File")
    info: Info = msgspec.field(name="Info")


class StopLogging(msgspec.Struct, frozen=True, kw_only=True):
    """The engine has written its last entry into a FIFO."""

    file: str = msgspec.field(name="File", default="")


class ReadConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What ``docker logs`` asks for; zero times mean "not given"."""

    since: str = msgspec.field(name="Since", default="")
    until: str = msgspec.field(name="Until", default="")
    tail: int = msgspec.field(name="Tail", default=-1)
    follow: bool = msgspec.field(name="Follow", default=False)


class ReadLogs(msgspec.Struct, frozen=True, kw_only=True):
    """``docker logs`` of a container."""

    info: Info = msgspec.field(name="Info")
    config: ReadConfig = msgspec.field(name="Config", default_factory=ReadConfig)

    def query(self) -> LogQuery:
        """Return the wanted lines. Raises ``RequestError`` if a time is malformed."""
        times = {}
        for name, text in (("Since", self.config.since), ("Until", self.config.until)):
            try:
                times[name] = parse_time(text) if text else 0
            except ValueError as error:
                raise RequestError(f"Config.{name}: {error}") from None
        return LogQuery(tail=self.config.tail, since=times["Since"], until=times["Until"], follow=self.config.follow)


def decode(body: bytes, kind: type[Body], name: str) -> Body:
    """Decode a request's body. Raises ``RequestError`` that names the request and what is wrong with it."""
    if not body.strip():
        raise RequestError(f"{name}: the request has no body; a JSON object is expected")
    try:
        request = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise RequestError(f"{name}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"{name}: the body is not JSON: {error}") from None
    info = getattr(request, "info", None)
    if isinstance(info, Info) and not is_container_id(info.container_id):
        raise RequestError(f"{name}: ContainerID '{info.container_id[:80]}' is not a container id (hexadecimal digits)")
    return request
