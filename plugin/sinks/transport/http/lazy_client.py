"""Making the client of a sink that speaks HTTP: what it is made of is loaded with the first one, and not before."""

from typing import TYPE_CHECKING

from plugin.sinks.transport.http.responses import Judge, failure
from plugin.sinks.transport.http.settings import HttpSettings

if TYPE_CHECKING:
    from plugin.sinks.transport.http.client import HttpClient


def make_client(settings: HttpSettings, judge: Judge = failure) -> "HttpClient":
    """Make a client with these settings, for a server whose answers ``judge`` understands.

    Raises `MisconfiguredError` for files of TLS that cannot be used.
    """
    from plugin.sinks.transport.http.client import HttpClient  # noqa: PLC0415 (aiohttp takes 10 MB)

    return HttpClient(settings, judge)
