"""Requests to the API of CloudWatch Logs: JSON by POST, signed, by one account in one region.

Protocol: "AWS JSON 1.1 protocol" in the specification of Smithy.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any

from plugin.config.secrets import Secret
from plugin.sinks.awslogs.answers import ApiError, judge, read_answer
from plugin.sinks.awslogs.options import AwslogsOptions
from plugin.sinks.base import SinkError
from plugin.sinks.encoding.sigv4 import body_hash, sign
from plugin.sinks.transport.aws.credentials import AwsAccount
from plugin.sinks.transport.aws.endpoints import service_url
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.http.url import parse_url

_SERVICE = "logs"
_VERSION = "Logs_20140328"


class LogsApi:
    """The API of a region. It has as many lanes as are asked for, each with connections of its own."""

    def __init__(self, options: AwslogsOptions) -> None:
        """Take the options; opens nothing, and asks nobody for region and credentials."""
        self._options = options
        self._account = AwsAccount(options.account, options.credentials_endpoint or "")
        self._asking = asyncio.Lock()
        self._settings: HttpSettings | None = None
        self._lanes: dict[int, HttpClient] = {}
        if options.endpoint is not None:
            self._settings = self._settings_for(str(options.endpoint.target))
            HttpClient(self._settings)  # opens nothing, but raises for files of TLS that cannot be used

    async def call(self, action: str, body: bytes, lane: int = 0) -> Mapping[str, Any]:
        """Send a request, and return the members of its answer.

        Credentials that have ended are renewed, and the request is sent again. Raises `ApiError` for an error that the
        API has a code for, and `RetryError`, `MisconfiguredError` or `RejectError` for any other.
        """
        try:
            return await self._call(action, body, lane)
        except ApiError as error:
            if error.is_of_credentials:
                self._account.forget()
            if not error.is_expired:
                raise
        return await self._call(action, body, lane)

    def meaning(self, error: SinkError, action: str) -> SinkError:
        """Return the failure that an error of `call` is."""
        return error.meaning(self.site, action) if isinstance(error, ApiError) else error

    @property
    def site(self) -> str:
        """Where requests go, for messages; empty as long as the region is not known."""
        return self._settings.url.site if self._settings else ""

    async def close(self) -> None:
        """Close all connections."""
        for client in self._lanes.values():
            await client.close()

    async def _call(self, action: str, body: bytes, lane: int) -> Mapping[str, Any]:
        async with self._asking:
            region = await self._account.region()
            credentials = await self._account.credentials()
        if self._settings is None:
            self._settings = self._settings_for(service_url(_SERVICE, region))
        client = self._lanes.get(lane)
        if client is None:
            client = self._lanes[lane] = HttpClient(self._settings, self._judge)
        headers = {**self._settings.headers, "X-Amz-Target": f"{_VERSION}.{action}"}
        target = self._settings.url.target
        signature = sign(
            "POST",
            target,
            headers,
            body_hash(body),
            region=region,
            service=_SERVICE,
            credentials=credentials,
            now=time.time(),
        )
        return read_answer(self.site, await client.send(body, headers={**headers, **signature}))

    def _settings_for(self, url: str) -> HttpSettings:
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        if self._options.format:
            headers["x-amzn-logs-format"] = self._options.format
        return self._options.connection.settings(parse_url(url).with_default_path("/"), headers)

    def _judge(
        self, site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
    ) -> SinkError | None:
        return judge(site, status, headers, body, (*secrets, *self._account.secrets))
