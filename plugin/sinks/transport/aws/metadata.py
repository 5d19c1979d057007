"""What the host tells of its role: the endpoint of a container's credentials, and the metadata of an instance.

Sources: "Container credential provider" in the reference guide of AWS's SDKs and tools, and "Use the Instance Metadata
Service" (version 2 alone) in the user guide of EC2.
"""

import ipaddress
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
import orjson
from yarl import URL

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RetryError
from plugin.sinks.encoding.sigv4 import Credentials

CONTAINER_ENDPOINT = "http://169.254.170.2"
INSTANCE_ENDPOINT = "http://169.254.169.254"

_SECONDS = 2.0
_LARGEST = 65_536
_TOKEN_SECONDS = "21600"  # noqa: S105 (how long the token of a session holds)
_PLAIN_HTTP = frozenset(map(ipaddress.ip_address, ("169.254.170.2", "169.254.170.23", "fd00:ec2::23")))


class NotThereError(RetryError):
    """Nobody answers at a link-local address: this is not such an instance, or it is not ready."""


def container_url(text: str) -> URL:
    """Return the URL of an endpoint of credentials; raises `MisconfiguredError` for one that could give them away."""
    url = URL(text)
    host = url.host or ""
    try:
        address = ipaddress.ip_address(host)
        is_near = address.is_loopback or address in _PLAIN_HTTP
    except ValueError:
        is_near = host == "localhost"
    if url.scheme == "https" or (url.scheme == "http" and is_near):
        return url
    raise MisconfiguredError(f"AWS credentials are not asked of {url.origin()}: it must be https, or this host")


async def container_credentials(url: URL, authorization: Secret | None) -> Credentials:
    """Return the credentials that an endpoint for containers gives; raises as `_request`."""
    headers = {"Authorization": authorization.reveal()} if authorization else {}
    return read_credentials(await _request("GET", url, headers), str(url.origin()))


async def instance_credentials(endpoint: str) -> Credentials:
    """Return the credentials of the role that an instance has; raises as `_request`."""
    headers = await _session(endpoint)
    folder = URL(endpoint) / "latest/meta-data/iam/security-credentials/"
    role = (await _request("GET", folder, headers)).decode("utf-8", "replace").split("\n")[0].strip()
    if not role:
        raise MisconfiguredError("no AWS credentials: the instance has no role")
    return read_credentials(await _request("GET", folder / role, headers), endpoint)


async def instance_region(endpoint: str) -> str:
    """Return the region that an instance is in; raises as `_request`."""
    url = URL(endpoint) / "latest/meta-data/placement/region"
    return (await _request("GET", url, await _session(endpoint))).decode("utf-8", "replace").strip()


def read_credentials(answer: bytes, site: str) -> Credentials:
    """Read the JSON in which both give credentials; raises `RetryError`, which does not show it."""
    try:
        content: Any = orjson.loads(answer)
        expires = datetime.fromisoformat(content["Expiration"]).timestamp() if content.get("Expiration") else None
        token = content.get("Token")
        key, secret = content["AccessKeyId"], content["SecretAccessKey"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RetryError(f"{site} gave no AWS credentials that can be read") from None
    if not all(isinstance(text, str) and text for text in (key, secret, token or "-")):
        raise RetryError(f"{site} gave no AWS credentials that can be read")
    return Credentials(key, Secret(secret), Secret(token) if token else None, expires)


async def _session(endpoint: str) -> Mapping[str, str]:
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS}
    token = await _request("PUT", URL(endpoint) / "latest/api/token", headers)
    return {"X-aws-ec2-metadata-token": token.decode("ascii", "replace").strip()}


async def _request(method: str, url: URL, headers: Mapping[str, str]) -> bytes:
    """Return the body of a 200, never by a proxy; raises `NotThereError`, `RetryError` or `MisconfiguredError`."""
    site = url.origin()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.request(method, url, headers=headers, allow_redirects=False) as response,
        ):
            body = await response.content.read(_LARGEST)
            while piece := await response.content.read(_LARGEST):
                body += piece
                if len(body) > _LARGEST:
                    raise RetryError(f"{site} gave a longer answer than credentials need")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotThereError(f"{site} does not answer ({type(error).__name__})") from None
    if response.status == 200:
        return body
    if response.status in (400, 401, 403, 404):
        raise MisconfiguredError(f"no AWS credentials: {site} answered {response.status} to {url.path}")
    raise RetryError(f"{site} answered {response.status} to {url.path}")
