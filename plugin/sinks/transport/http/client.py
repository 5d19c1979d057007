"""The HTTP side of the sinks that speak HTTP: one pool of connections, and each outcome as the failure it is."""

import io
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RetryError, SinkError, UnavailableError
from plugin.sinks.transport.http.proxy import environment_proxy
from plugin.sinks.transport.http.responses import Judge, failure
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.tls.context import ClientTls, is_lasting

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 15.0
_READ_SIZE = 8_192
LARGEST_ANSWER = 65_536
"""Bytes of an answer that are read, where a protocol has none that are larger."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in which nothing was at fault."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Sends requests to one server, over connections that it keeps and rebuilds.

    Host names are resolved for each connection. A connection is closed after every answer but 2xx, and after every
    fault. ``judge`` says what an answer means, as `failure` does; no more than ``largest_answer`` bytes of it are read.
    Making a client opens nothing; it raises `MisconfiguredError` for files of TLS that cannot be used.
    """

    def __init__(self, settings: HttpSettings, judge: Judge = failure, largest_answer: int = LARGEST_ANSWER) -> None:
        self._settings = settings
        self._judge = judge
        self._largest_answer = largest_answer
        self._site = settings.url.site
        self._proxy = settings.proxy or environment_proxy(settings.url)
        self._tls: ClientTls | None = None
        if settings.url.target.scheme == "https" or (self._proxy and self._proxy.target.scheme == "https"):
            self._tls = ClientTls(settings.ca, settings.cert, settings.key, verify=settings.verify)
        authorization = settings.authorization or settings.url.authorization
        self._headers = CIMultiDict({"Accept-Encoding": "identity", "User-Agent": "peavey"})
        self._headers.update(settings.headers)
        self._headers.update(settings.given_headers)
        if authorization:
            self._headers.setdefault("Authorization", authorization.reveal())
        self._proxy_headers: dict[str, str] = {}
        if self._proxy and (proxy_authorization := self._proxy.authorization):
            # Through a tunnel it goes with CONNECT alone; without one the proxy reads the request itself.
            headers = self._proxy_headers if settings.url.target.scheme == "https" else self._headers
            headers["Proxy-Authorization"] = proxy_authorization.reveal()
        self._secrets = (
            *filter(None, (authorization, self._proxy and self._proxy.password)),
            *filter(None, (self._proxy and self._proxy.authorization, settings.url.authorization)),
            *settings.url.secrets,
            *settings.secrets,
            *(Secret(value) for value in settings.given_headers.values()),
        )
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, body: bytes, *, url: URL | None = None, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Send a request, to another URL of the same server if one is given; return the body of a 2xx answer.

        Raises `RetryError`, also if the answer does not arrive in full, `RejectError` or `MisconfiguredError`.
        """
        return (await self.request(body, url=url, method=method, headers=headers)).body

    async def request(
        self, body: bytes, *, url: URL | None = None, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request as `send` does, and return the answer with its status and headers."""
        try:
            return await self._request(body, url, method, headers)
        except SinkError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _request(self, body: bytes, url: URL | None, method: str, headers: Mapping[str, str] | None) -> Answer:
        try:
            # It is all in memory anyway, but aiohttp sends only files piece by piece.
            status, answer_headers, answer = await self._exchange(url, method, io.BytesIO(body), headers)
        except aiohttp.ConnectionTimeoutError as error:
            site = f"the proxy {self._proxy}" if self._proxy else self._site
            limit = min(_CONNECT_SECONDS, self._settings.timeout)
            raise UnavailableError(f"cannot connect to {site} within {limit:g} s") from error
        except TimeoutError as error:
            raise RetryError(f"{self._site} did not answer within {self._settings.timeout:g} s") from error
        except aiohttp.ClientHttpProxyError as error:
            raise self._proxy_failure(error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._connection_failure(error) from error
        if fault := self._judge(self._site, status, answer_headers, answer, self._secrets):
            raise fault
        return Answer(status, answer_headers, answer)

    async def _exchange(
        self, url: URL | None, method: str, body: io.BytesIO, headers: Mapping[str, str] | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self._session is None:
            self._session = self._open_session()
        proxy = self._proxy
        async with self._session.request(
            method,
            url or self._settings.url.target,
            data=body,
            headers=headers,
            allow_redirects=False,
            ssl=self._tls.context() if self._tls else True,
            server_hostname=self._settings.server_name or None,
            proxy=proxy.target if proxy else None,
            proxy_headers=self._proxy_headers,
        ) as response:
            try:
                answer = await _read(response, self._largest_answer)
            except (aiohttp.ClientError, OSError):
                if 200 <= response.status < 300:
                    raise
                answer = b""
            return response.status, response.headers, answer

    def _open_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(use_dns_cache=False, keepalive_timeout=_IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=self._settings.timeout, connect=min(_CONNECT_SECONDS, self._settings.timeout)
            ),
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def _proxy_failure(self, error: aiohttp.ClientHttpProxyError) -> SinkError:
        site = f"the proxy {self._proxy}"
        fault = failure(site, error.status, error.headers or {}, b"", self._secrets)
        return fault or RetryError(f"{site} did not connect to {self._site}")

    def _connection_failure(self, error: Exception) -> SinkError:
        if isinstance(error, aiohttp.ClientProxyConnectionError):
            return UnavailableError(f"cannot connect to the proxy {self._proxy}: {_reason(error)}")
        tls_fault = _tls_fault(error)
        if isinstance(tls_fault, ssl.SSLCertVerificationError):
            return MisconfiguredError(
                f"the certificate of {self._site} is not accepted: {tls_fault.verify_message}"
                " (check the CA file and the server name)"
            )
        if tls_fault is not None and is_lasting(tls_fault):
            return MisconfiguredError(f"no TLS with {self._site}: {tls_fault.reason.replace('_', ' ').lower()}")
        if isinstance(error, aiohttp.InvalidURL | ValueError):
            return MisconfiguredError(f"{self._site}: the URL, or a header, cannot be used")
        if isinstance(error, aiohttp.ClientConnectorError):
            return UnavailableError(f"cannot connect to {self._site}: {_reason(error)}")
        return RetryError(f"the connection to {self._site} failed: {_reason(error)}")


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    """Read an answer; the connection is closed if it is longer than any that makes sense."""
    pieces = []
    size = 0
    while piece := await response.content.read(_READ_SIZE):
        pieces.append(piece)
        size += len(piece)
        if size >= largest:
            response.close()
            break
    return b"".join(pieces)


def _tls_fault(error: BaseException | None) -> ssl.SSLError | None:
    """Find the fault of TLS behind an exception, which aiohttp may have wrapped or copied."""
    # Some of aiohttp's own exceptions are an SSLError in name, without its fields.
    while error is not None and (isinstance(error, aiohttp.ClientError) or not isinstance(error, ssl.SSLError)):
        error = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error.__cause__
    return error


def _reason(error: Exception) -> str:
    """Describe why, without addresses that would change a message from one try to the next, and without URLs."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.strerror and not cause.strerror.startswith("Connect call failed"):
        return cause.strerror
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return "the server closed it before it had answered"
    if isinstance(cause, aiohttp.ClientPayloadError):
        return "the server closed it in the middle of its answer"
    if isinstance(cause, aiohttp.ClientResponseError):
        return "what came back is not HTTP"
    return type(cause).__name__
