"""The proxy that the environment names: ``https_proxy``, ``http_proxy``, ``all_proxy``, and exceptions by ``no_proxy``.

``no_proxy`` is read as by Go's ``golang.org/x/net/http/httpproxy``, which Docker's drivers use, and where that is
stricter as by curl: a list with commas or blanks, of ``*``, IP addresses, networks (``10.0.0.0/8``) and domains, each
of the addresses and domains with or without a port.
"""

import ipaddress
import re
import urllib.request
from collections.abc import Mapping

from plugin.sinks.base import MisconfiguredError
from plugin.sinks.transport.http.url import HttpUrl, parse_url

_ITEM = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]{1,5}))?")
_BETWEEN_ITEMS = re.compile(r"[\s,]+")


def environment_proxy(url: HttpUrl) -> HttpUrl | None:
    """Return the proxy that the environment names for a URL; as with Docker's drivers, never one for this host.

    Raises `MisconfiguredError` for one that is not a URL.
    """
    proxies: Mapping[str, str] = urllib.request.getproxies_environment()
    name = proxies.get(str(url.target.scheme)) or proxies.get("all")
    if not name or url.is_loopback or is_excepted(url.target.host or "", url.target.port, proxies.get("no", "")):
        return None
    try:
        return parse_url(name if "://" in name else f"http://{name}")
    except ValueError as error:
        raise MisconfiguredError(f"the proxy that the environment names cannot be used: {error}") from None


def is_excepted(host: str, port: int | None, no_proxy: str) -> bool:
    """Return whether ``no_proxy`` excepts a host; items that mean nothing are passed over."""
    name = _canonical(host)
    address = _address(name)
    return any(_matches(item, name, address, port) for item in _BETWEEN_ITEMS.split(no_proxy) if item)


def _matches(
    item: str, name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None, port: int | None
) -> bool:
    if item == "*":
        return True
    if "/" in item:
        try:
            return address is not None and address in ipaddress.ip_network(item.lower(), strict=False)
        except ValueError:
            return False
    if (excepted := _address(item)) is not None:  # without brackets, an IPv6 address has no port
        return excepted == address
    match = _ITEM.fullmatch(item)
    if match is None or (match["port"] and int(match["port"]) != port):
        return False
    domain = _canonical(match["host"].strip("[]"))
    if (excepted := _address(domain)) is not None:
        return excepted == address
    if address is not None or not domain.strip("."):
        return False
    if domain.startswith("*."):
        domain = domain[1:]
    return name.endswith(domain) if domain.startswith(".") else f".{name}".endswith(f".{domain}")


def _canonical(host: str) -> str:
    return host.lower().rstrip(".")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
