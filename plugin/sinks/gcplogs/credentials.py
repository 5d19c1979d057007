"""Credentials as Google's tools write them, in JSON: of a service account, or of a person (``gcloud auth``).

Sources: https://developers.google.com/identity/protocols/oauth2/service-account (*HTTP/REST*), RFC 7523, RFC 6749, 6.
"""

from dataclasses import dataclass
from typing import Any, Protocol, final
from urllib.parse import urlencode

import orjson

from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.sinks.gcplogs.jwt import make_jwt, parse_key
from plugin.sinks.transport.http.url import HttpUrl, parse_url

_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 (a URL)
_SCOPE = "https://www.googleapis.com/auth/logging.write"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME = 3600  # seconds, the longest that Google takes
_EXPECTED = "the JSON of a service account's key, or of gcloud's application_default_credentials.json"


class Credentials(Protocol):
    """What a token can be asked for with."""

    @property
    def project(self) -> str:
        """The project that they belong to, empty where they do not say."""

    @property
    def token_url(self) -> HttpUrl:
        """Where tokens are given out."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not show in messages."""

    def request(self, now: float) -> bytes:
        """Return the body of the request for a token, at a time in seconds since 1970."""


@final
@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The key of a service account."""

    project: str
    token_url: HttpUrl
    email: str
    key_id: str
    pem: Secret

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The key."""
        return (self.pem,)

    def request(self, now: float) -> bytes:
        """Sign an assertion of who we are."""
        claims = {
            "iss": self.email,
            "scope": _SCOPE,
            "aud": str(self.token_url.target),
            "iat": int(now),
            "exp": int(now) + _LIFETIME,
        }
        assertion = make_jwt(parse_key(self.pem.reveal()), self.key_id, claims)
        return urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()


@final
@dataclass(frozen=True, slots=True)
class AuthorizedUser:
    """A person's refresh token."""

    project: str
    token_url: HttpUrl
    client_id: str
    client_secret: Secret
    refresh_token: Secret

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The token, and the client's secret."""
        return (self.refresh_token, self.client_secret)

    def request(self, now: float) -> bytes:  # noqa: ARG002 (a service account needs it)
        """Return the token for a new access token."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token.reveal(),
            "client_id": self.client_id,
            "client_secret": self.client_secret.reveal(),
        }
        return urlencode(form).encode()


def parse_credentials(text: str) -> ServiceAccount | AuthorizedUser:
    """Read credentials; raises `ValueError`, whose message does not show the text."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise ValueError(f"it is not JSON (expected: {_EXPECTED})")  # noqa: TRY004 (the option's value is wrong)
    kind = content.get("type")
    url = parse_url(_text(content, "token_uri", _TOKEN_URI))
    if kind == "service_account":
        pem = _text(content, "private_key")
        parse_key(pem)
        email, key_id = _text(content, "client_email"), _text(content, "private_key_id", "")
        return ServiceAccount(_text(content, "project_id", ""), url, email, key_id, Secret(pem))
    if kind == "authorized_user":
        project = _text(content, "quota_project_id", "")
        secret, token = Secret(_text(content, "client_secret")), Secret(_text(content, "refresh_token"))
        return AuthorizedUser(project, url, _text(content, "client_id"), secret, token)
    known = "service_account or authorized_user"
    raise ValueError(f"its type is none that is known here: {known} (expected: {_EXPECTED})")


def _text(content: dict[str, Any], name: str, default: str | None = None) -> str:
    value = content.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise ValueError(f"it has no {name} (expected: {_EXPECTED})")
    return value


CREDENTIALS: Kind[ServiceAccount | AuthorizedUser] = Kind(parse=parse_credentials, accepts=_EXPECTED, secret=True)
