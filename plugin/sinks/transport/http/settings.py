"""What the client of the sinks that speak HTTP must know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from plugin.config.secrets import Secret
from plugin.sinks.transport.http.headers import Headers
from plugin.sinks.transport.http.url import HttpUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where requests go, and how."""

    url: HttpUrl
    timeout: float
    """Seconds that a whole request may take, from the look-up of the name to the last byte of the answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    given_headers: Headers = field(default_factory=Headers)
    """Those that a person gave: they win over all others, and do not show."""
    authorization: Secret | None = None
    """The value of ``Authorization``; without one, user and password of the URL make it."""
    proxy: HttpUrl | None = None
    """Without one, the environment's (``https_proxy``, ``http_proxy``, ``all_proxy``, ``no_proxy``)."""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str = ""
    """The name that the server's certificate must have, and that is sent as SNI; empty for the URL's host."""
    verify: bool = True
    secrets: tuple[Secret, ...] = ()
    """Further texts that must not show in messages."""
