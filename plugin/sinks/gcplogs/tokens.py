"""Access tokens, renewed before they end."""

import time
from collections.abc import Awaitable, Callable

import orjson

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError
from plugin.sinks.gcplogs.credentials import Credentials
from plugin.sinks.gcplogs.instance import TOKEN, MetadataServer
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.headers import HEADER_SECRET
from plugin.sinks.transport.http.settings import HttpSettings

_EARLY = 225.0
"""Seconds before its end at which a token is renewed, as by Google's libraries: the metadata server keeps its own."""

_ASK_AGAIN = 20.0


class Tokens:
    """The token in use; ``ask`` gets the answer of who gives them out, whom messages call ``site``."""

    def __init__(self, site: str, ask: Callable[[], Awaitable[bytes]]) -> None:
        self._site = site
        self._ask = ask
        self._token = Secret("")
        self._renew_at = self._ends_at = 0.0

    async def token(self) -> Secret:
        """Return a token that holds for a while; while no new one can be had, the old one until it ends.

        Raises `RetryError` or `MisconfiguredError` if there is none.
        """
        now = time.monotonic()
        if now >= self._renew_at:
            try:
                self._token, lifetime = _read(self._site, await self._ask())
            except SinkError:
                if now >= self._ends_at:
                    raise
                self._renew_at = now + _ASK_AGAIN
            else:
                self._ends_at = now + lifetime
                self._renew_at = now + max(lifetime - _EARLY, lifetime / 2)
        return self._token

    def forget(self) -> None:
        """Discard the token, which was not accepted."""
        self._renew_at = self._ends_at = 0.0


def instance_tokens(server: MetadataServer, site: str) -> Tokens:
    """Return the tokens of the instance's service account."""

    async def ask() -> bytes:
        try:
            return await server.read(TOKEN)
        except RetryError as error:
            raise MisconfiguredError(
                f"there are no credentials: give gcp-credentials-file, or run on Google Cloud with a service account"
                f" (asked its metadata server: {error})"
            ) from error

    return Tokens(site, ask)


class CredentialTokens(Tokens):
    """Tokens for credentials from a file."""

    def __init__(self, credentials: Credentials, settings: HttpSettings) -> None:
        self._credentials = credentials
        self._client = HttpClient(settings)
        super().__init__(settings.url.site, self._request)

    async def _request(self) -> bytes:
        try:
            return await self._client.send(self._credentials.request(time.time()))
        except RejectError as error:  # it is not about the batch
            raise MisconfiguredError(f"{error} (check the credentials, and this host's clock)") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _read(site: str, answer: bytes) -> tuple[Secret, float]:
    try:
        content = orjson.loads(answer)
        token, lifetime = HEADER_SECRET.parse(content["access_token"]), float(content["expires_in"])
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError, AttributeError):
        raise RetryError(f"{site} did not answer with an access token") from None
    return token, lifetime
