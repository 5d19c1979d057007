"""Making the client of a sink that speaks HTTP: what it is made of is loaded with the first one, and not before."""

from typing import TYPE_CHECKING

from plugin.sinks.http_answers import Judge, failure
from plugin.sinks.http_settings import HttpSettings

if TYPE_CHECKING:
    from plugin.sinks.runtime.http_client import HttpClient


def make_client(settings: HttpSettings, judge: Judge = failure) -> "HttpClient":
    """Make a client with these settings, for a server whose answers ``judge`` understands.

    Raises `MisconfiguredError` for files of TLS that cannot be used.
    """
    from plugin.sinks.runtime.http_client import HttpClient  # noqa: PLC0415 (aiohttp takes 10 MB)

    return HttpClient(settings, judge)
