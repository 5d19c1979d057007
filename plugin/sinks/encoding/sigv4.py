"""Signatures of requests to AWS, and to what speaks its protocols: Signature Version 4.

Source: "AWS Signature Version 4 for API requests" in AWS's IAM user guide, and "Authenticating Requests (AWS Signature
Version 4)" in the API reference of S3, whose paths are signed otherwise.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from yarl import URL

from plugin.config.secrets import Secret

PathRules = Literal["normalized", "s3"]
"""How a service reads the path of a request: with ``.``, ``..`` and ``//`` resolved, or as S3, where they are names."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""In place of a body's hash, where a service lets the body be left out of the signature (S3, over https)."""

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"
# What proxies and the client itself may change on the way.
_UNSIGNED = frozenset({"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, with the session token that temporary ones have.

    ``expires`` is when they end, in seconds since 1970 UTC; ``None`` for credentials that do not.
    """

    access_key: str
    secret_key: Secret
    token: Secret | None = None
    expires: float | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What of them must not show in messages."""
        return (self.secret_key,) if self.token is None else (self.secret_key, self.token)


def body_hash(body: bytes) -> str:
    """Return the hash of a request's body as `sign` wants it: SHA-256 in hexadecimal digits."""
    return sha256(body).hexdigest()


def sign(
    method: str,
    url: URL,
    headers: Mapping[str, str],
    body_sha256: str,
    *,
    region: str,
    service: str,
    credentials: Credentials,
    now: float,
    path_rules: PathRules = "normalized",
) -> dict[str, str]:
    """Return the headers to add to a request so that it is signed.

    ``url`` is what is requested, with path and query as they are sent (see `encode_path` and `encode_query`).
    ``headers`` are those that are sent along and will be signed, all but a few that change on the way; ``Host`` is made
    of the URL unless it is among them. ``body_sha256`` comes from `body_hash`, or is `UNSIGNED_PAYLOAD`. ``now`` is in
    seconds since 1970 UTC. With the rules of S3, ``X-Amz-Content-SHA256`` is among the headers that are returned.
    """
    moment = datetime.fromtimestamp(now, UTC)
    added = {"X-Amz-Date": f"{moment:%Y%m%dT%H%M%SZ}"}
    if credentials.token is not None:
        added["X-Amz-Security-Token"] = credentials.token.reveal()
    if path_rules == "s3":
        added["X-Amz-Content-SHA256"] = body_sha256
    signed = _headers_to_sign(url, headers, added)
    names = ";".join(signed)
    request = "\n".join(
        (
            method.upper(),
            _canonical_path(url.raw_path, path_rules),
            _canonical_query(url.raw_query_string),
            *(f"{name}:{value}" for name, value in signed.items()),
            "",
            names,
            body_sha256,
        )
    )
    scope = f"{moment:%Y%m%d}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, added["X-Amz-Date"], scope, sha256(request.encode()).hexdigest()))
    signature = hmac.digest(_signing_key(credentials.secret_key, scope), text.encode(), "sha256").hex()
    added["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return added


def encode_path(path: str) -> str:
    """Percent-encode a path, or the key of an object, as AWS does: all but letters, digits, ``-_.~`` and ``/``."""
    return quote(path, safe="/" + _UNRESERVED)


def encode_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Make a query of names and values, encoded and in the order in which AWS signs them."""
    encoded = [(quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in parameters]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _signing_key(secret: Secret, scope: str) -> bytes:
    key = f"AWS4{secret.reveal()}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _headers_to_sign(url: URL, headers: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that are signed, in their order, names in small letters and values without idle blanks."""
    given = {name.lower(): value for name, value in (*headers.items(), *added.items())}
    given.setdefault("host", url.host_port_subcomponent or "")
    return {name: " ".join(given[name].split()) for name in sorted(given.keys() - _UNSIGNED)}


def _canonical_path(path: str, rules: PathRules) -> str:
    """Return a path as it is signed: S3's encoded once, all others' twice, as the service resolves what was sent."""
    if rules == "s3":
        return quote(unquote_to_bytes(path), safe="/" + _UNRESERVED) or "/"
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    resolved = "/" + "/".join(parts) + ("/" if parts and path.endswith("/") else "")
    return quote(resolved, safe="/" + _UNRESERVED)


def _canonical_query(query: str) -> str:
    pairs = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        pairs.append(tuple(quote(unquote_to_bytes(part), safe=_UNRESERVED) for part in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
