"""URLs of destinations and proxies, which may hold a password."""

import base64
import ipaddress
from dataclasses import dataclass, field, replace
from typing import final

from yarl import URL

from plugin.config.parsing import check_host
from plugin.config.secrets import Secret
from plugin.config.types import Kind


@final
@dataclass(frozen=True, slots=True)
class HttpUrl:
    """An absolute http or https URL, taken apart so that it can be shown without what is secret in it."""

    target: URL
    """Without user, password and fragment."""
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))

    @property
    def site(self) -> str:
        """Scheme, host and port, for messages: paths and queries of some services hold a token."""
        return str(self.target.origin())

    def with_default_path(self, path: str) -> "HttpUrl":
        """Add a path where there is none."""
        return self if self.target.raw_path not in ("", "/") else replace(self, target=self.target.with_path(path))

    @property
    def is_loopback(self) -> bool:
        """Whether it names this host itself, which a proxy from the environment is never used for."""
        host = self.target.host or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host.rstrip(".").lower() == "localhost"

    @property
    def authorization(self) -> Secret | None:
        """The header value that stands for user and password, None if there are none."""
        return basic_authorization(self.user, self.password) if self.user or self.password.reveal() else None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What of it may be one and come back in an answer: password, path and query, in the forms that servers use."""
        target = self.target
        texts = (target.raw_path, target.path, target.raw_query_string, target.query_string, *target.query.values())
        return self.password, *(Secret(text) for text in dict.fromkeys(texts))

    def __repr__(self) -> str:
        """Show the site alone."""
        return f"HttpUrl('{self.site}')"

    def __str__(self) -> str:
        """Show the site alone."""
        return self.site


def basic_authorization(user: str, password: Secret) -> Secret:
    """Return the value of ``Authorization`` for a user and a password, in UTF-8 (RFC 7617)."""
    return Secret("Basic " + base64.b64encode(f"{user}:{password.reveal()}".encode()).decode())


def parse_url(text: str) -> HttpUrl:
    """Read an absolute http or https URL; raises `ValueError`, whose message does not show the text."""
    try:
        url = URL(text)
        port = url.port
    except (ValueError, LookupError):  # yarl looks for the host of [..]@, which is empty
        raise ValueError("it is not a URL (example: https://logs.example.com:3100/path)") from None
    if url.scheme not in ("http", "https") or not url.host or port is None or any(c.isspace() for c in text):
        raise ValueError("it is not an http:// or https:// URL with a host (example: https://logs.example.com:3100)")
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port (expected: 1 to 65535)")
    check_host(url.host)
    target = url.with_user(None).with_fragment(None)
    return HttpUrl(target=target, user=url.user or "", password=Secret(url.password or ""))


URL_KIND: Kind[HttpUrl] = Kind(
    parse=parse_url,
    accepts="an http:// or https:// URL with a host, such as https://logs.example.com:3100",
    # It may hold a password, and with some services the path is one.
    secret=True,
)
