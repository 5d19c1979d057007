"""Addresses in log-opts, ``tcp://host:port`` and the like, read as Docker's drivers read them: nothing is looked up."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from plugin.config.parsing import check_host, hint, parse_int, quote
from plugin.sinks.transport.dial import Address

_LAST_PORT = 65_535
_TLS_SCHEMES = ("tcp+tls", "tls", "ssl", "tcp+ssl", "tcps")


@dataclass(frozen=True, slots=True)
class Target:
    """A scheme, in lower case, and the address that it is spoken to."""

    scheme: str
    address: Address

    def __str__(self) -> str:
        """Write it as in an option: ``tcp://host:port``."""
        return f"{self.scheme}://{self.address}"


def parse_target(text: str, schemes: tuple[str, ...], default_port: int | None = None) -> Target:
    """Read ``scheme://host:port``, or ``unix:///path`` where a scheme that begins with ``unix`` is allowed.

    Without ``default_port`` the port is required. A host that is empty is this one, a path behind a host means nothing,
    and a user or a password is dropped. Raises `ValueError`, with a message that shows neither of them.
    """
    expected = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(f"it is not an address (expected: {expected} and more)") from None
    scheme = parts.scheme
    if "://" not in text:
        raise ValueError(f"{_shown(text)} has no scheme (expected: {expected}, such as {schemes[0]}://host:port)")
    if scheme not in schemes:
        raise ValueError(f"unsupported scheme {quote(scheme)} (expected: {expected}){_scheme_hint(scheme, schemes)}")
    if scheme.startswith("unix"):
        path = unquote(parts.path)
        if not path or "\0" in path:
            raise ValueError(f"{_shown(text)} names no socket (example: {scheme}:///run/log.sock)")
        return Target(scheme, Address(path=path))
    host, port = _split(unquote(parts.netloc.rpartition("@")[2]))
    if port is None and default_port is None:
        raise ValueError(f"{_shown(text)} has no port (expected: {scheme}://host:port)")
    if "\0" in host or (":" in host and "[" not in parts.netloc):
        raise ValueError(f"{_shown(text)} is not an address (expected: {scheme}://host:port, an IPv6 address in [])")
    check_host(host)
    number = default_port if port is None else parse_int(port, 1, _LAST_PORT)
    return Target(scheme, Address(host or "localhost", number or 0))


def split_host(text: str, example: str) -> tuple[str, str | None]:
    """Part ``host:port``; an IPv6 address loses its brackets, and no port is None.

    Raises `ValueError` for an IPv6 address without brackets; ``example`` shows one with them.
    """
    host, colon, port = (text, "", "") if text.endswith("]") else text.rpartition(":")
    if not colon:
        host = text
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"an IPv6 address must be in brackets (example: {example})")
    return host.removeprefix("[").removesuffix("]"), port if colon else None


def parse_server(text: str, scheme: str, default_port: int, example: str) -> Address:
    """Read ``host:port`` of a server in a URL that may name several of a cluster.

    Raises `ValueError`, whose message does not show the text; ``example`` is a whole URL of this ``scheme``.
    """
    host, port = split_host(text, f"{scheme}://[::1]:{default_port}")
    if port is not None and not (port.isascii() and port.isdigit() and 1 <= int(port) <= _LAST_PORT):
        raise ValueError(f"the port of a host is not a number from 1 to {_LAST_PORT} (example: {example})")
    if not host:
        raise ValueError(f"a host is missing (example: {example})")
    return Address(host, default_port if port is None else int(port))


def _scheme_hint(scheme: str, schemes: tuple[str, ...]) -> str:
    if scheme not in _TLS_SCHEMES:
        return hint(scheme, schemes)
    for known in _TLS_SCHEMES:
        if known in schemes:
            return f" (did you mean '{known}'?)"
    return " (TLS is not spoken here: send to an agent on this host that speaks it, such as Fluent Bit)"


def _split(netloc: str) -> tuple[str, str | None]:
    """Part host and port; no port is None."""
    if netloc.startswith("["):
        host, _, rest = netloc[1:].partition("]")
        return host, rest[1:] if rest.startswith(":") else None
    host, colon, port = netloc.rpartition(":")
    return (host, port) if colon else (netloc, None)


def _shown(text: str) -> str:
    """Quote an address without the user and the password that may be in it."""
    scheme, separator, rest = text.rpartition("://")
    return quote(scheme + separator + rest.rpartition("@")[2])
