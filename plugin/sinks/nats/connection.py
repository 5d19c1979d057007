"""A connection to one of several NATS servers, made by nats-py; requests over it, with a time limit each."""

import asyncio
import json
import logging
import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nats
import nats.errors
import nkeys
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg
from nats.protocol.parser import Parser

from plugin.config.parsing import printable
from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RetryError, SinkError, UnavailableError
from plugin.sinks.transport.dial import Address, reason
from plugin.sinks.transport.tls.context import ClientTls
from plugin.sinks.transport.tls.layer import tls_failure

# It logs each failure with a traceback: what matters of that comes as errors.
logging.getLogger("nats").setLevel(logging.CRITICAL + 1)

_LONGEST = 200
_LARGEST_LINE = 1 << 20
_LARGEST_ANSWER = 32 << 20
"""Bytes; above what any server is known to let a message be."""
_PERMISSIONS = (
    "the user needs to publish to the subjects of nats-subject, $JS.API.STREAM.NAMES and $JS.API.STREAM.MSG.GET.> "
    "(with nats-create-stream also $JS.API.STREAM.CREATE.>), and to subscribe to _INBOX.>"
)


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in: with user and password, a token, the content of a .creds file, or the seed of an NKey."""

    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    token: Secret | None = None
    creds: Secret | None = None
    nkey: Secret | None = None

    def options(self) -> dict[str, Any]:
        """Return what nats-py takes for it."""
        if self.creds:
            return {"user_credentials": RawCredentials(self.creds.reveal())}
        if self.nkey:
            return {"nkeys_seed_str": self.nkey.reveal().strip()}
        if self.token:
            return {"token": self.token.reveal()}
        return {"user": self.user, "password": self.password.reveal()} if self.user else {}


class NoRespondersError(Exception):
    """Nobody takes a subject."""


class _Parser(Parser):
    """Keeps no more of what a server says than one message can be."""

    async def parse(self, data: bytes = b"") -> None:
        await super().parse(data)
        most = min(_LARGEST_ANSWER, _LARGEST_LINE + 2 * self.nc.max_payload)  # what is looked up comes in base64
        if max(self.needed, len(self.buf)) > most:
            raise nats.errors.ProtocolError


class _Client(Client):
    """A client that says nothing secret in clear where TLS was asked for, whatever the server offers."""

    wants_tls = False

    def __init__(self) -> None:
        super().__init__()
        self._ps = _Parser(self)

    def _connect_command(self) -> bytes:
        if self.wants_tls and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnRequiredError
        command: bytes = super()._connect_command()
        return command


class NatsConnection:
    """A connection that is opened when needed, to the next server where one fails, and given up when a request fails.

    ``limit`` is how many seconds connecting may take, and each request.
    """

    def __init__(self, addresses: tuple[Address, ...], login: Login, tls: ClientTls | None, limit: float) -> None:
        self._addresses = addresses
        self._login = login
        self._tls = tls
        self._limit = limit
        self._next = 0
        self._client: _Client | None = None
        self._closed = asyncio.Event()
        self._opening = asyncio.Lock()
        self._refusal = ""

    def __str__(self) -> str:
        """Name the server in use, for messages."""
        return str(self._addresses[self._next])

    async def open(self) -> _Client:
        """Connect, unless there is a connection; tries each server once. Raises the last one's failure."""
        async with self._opening:
            if self._client is not None and self._client.is_connected and not self._closed.is_set():
                return self._client
            await self.close()
            problem: SinkError | None = None
            for _ in self._addresses:
                try:
                    self._client = await self._connect(self._addresses[self._next])
                except SinkError as error:
                    if not isinstance(problem, MisconfiguredError):
                        problem = error
                    self._next = (self._next + 1) % len(self._addresses)
                else:
                    return self._client
            raise problem or UnavailableError("nats-url names no server")

    async def request(self, subject: str, content: bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Send a request, and return the answer, which is JSON. Raises `NoRespondersError` where nobody takes it."""
        client = await self.open()
        if len(content) > client.max_payload:
            raise nats.errors.MaxPayloadError
        request = asyncio.ensure_future(
            client.request(subject, content, timeout=self._limit, headers=dict(headers) if headers else None)
        )
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({request, closed}, return_when=asyncio.FIRST_COMPLETED)
            answer = json.loads((await self._result(request)).data)
        except nats.errors.NoRespondersError:
            raise NoRespondersError(subject) from None
        except nats.errors.TimeoutError:
            refused = self._refused()
            await self._give_up(client)
            if refused:
                raise MisconfiguredError(f"{self} refuses{refused}; {_PERMISSIONS}") from None
            raise RetryError(f"{self} has not answered within {self._limit:g} s") from None
        except (nats.errors.Error, OSError, ValueError) as error:
            await self._give_up(client)
            raise RetryError(f"the connection to {self} broke: {_said(error)}") from error
        except BaseException:
            await self._give_up(client)
            raise
        finally:
            request.cancel()
            closed.cancel()
        return answer if isinstance(answer, dict) else {}

    async def _result(self, request: "asyncio.Future[Msg]") -> Msg:
        """Return what a request has brought; raises where it is not done, as the connection has closed."""
        if not request.done():
            raise RetryError(f"the connection to {self} broke{self._refused()}")
        return await request

    @property
    def most_bytes(self) -> int:
        """How large a message may be, 0 while that is not known."""
        return self._client.max_payload if self._client else 0

    @property
    def has_jetstream(self) -> bool:
        """Whether the server in use says that JetStream is enabled there."""
        return self._client is None or bool(self._client._server_info.get("jetstream"))

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await _close(client)

    async def _give_up(self, client: _Client) -> None:
        """Close a connection, and let the next one be to another server, unless another request has seen to it."""
        if client is self._client:
            self._next = (self._next + 1) % len(self._addresses)
            self._closed.set()
            await self.close()

    async def _connect(self, address: Address) -> _Client:
        client = _Client()
        client.wants_tls = self._tls is not None
        errors: list[Exception] = []
        closed = asyncio.Event()
        self._refusal = ""

        async def note(error: Exception) -> None:
            errors.append(error)
            del errors[:-5]
            if client is self._client and "permissions violation" in str(error).lower():
                self._refusal = _said(error)

        async def note_end() -> None:
            closed.set()

        options: dict[str, Any] = self._login.options()
        if self._tls is not None:
            options |= {"tls": self._tls.context(), "tls_hostname": address.host}
        scheme = "nats" if self._tls is None else "tls"
        try:
            async with asyncio.timeout(self._limit):
                await client.connect(
                    [f"{scheme}://{address}"],
                    error_cb=note,
                    closed_cb=note_end,
                    disconnected_cb=note_end,
                    name="peavey",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=max(1, math.ceil(self._limit)),
                    dont_randomize=True,
                    **options,
                )
        except BaseException as error:
            await _close(client)
            if isinstance(error, TimeoutError):
                raise UnavailableError(f"cannot connect to {address} within {self._limit:g} s") from None
            if not isinstance(error, Exception):
                raise
            # A server that refuses a login closes the connection at once: the reset may be told last.
            failures = [_failure(address, each) for each in (*reversed(errors), error)]
            refusal = next((each for each in failures if isinstance(each, MisconfiguredError)), None)
            raise (refusal or failures[0]) from error
        self._closed = closed
        return client

    def _refused(self) -> str:
        return f": {self._refusal}" if self._refusal else ""


def _failure(address: Address, error: Exception) -> SinkError:
    """Return the failure that an error in connecting is."""
    said = _said(error)
    if isinstance(error, ssl.SSLError):
        return tls_failure(address, error)
    if isinstance(error, nats.errors.SecureConnRequiredError):
        return MisconfiguredError(f"{address} does not offer TLS, which tls:// asks for")
    if isinstance(error, nats.errors.AuthorizationError) or "authorization" in said.lower():
        return MisconfiguredError(
            f"{address} refuses the login: {said}; see nats-url, nats-username and nats-password, nats-token, "
            f"nats-creds, nats-nkey"
        )
    if isinstance(error, nkeys.NkeysError):
        return MisconfiguredError(f"nats-nkey or nats-creds holds no seed that can be used: {said}")
    if isinstance(error, (TimeoutError, nats.errors.TimeoutError)):
        return UnavailableError(f"cannot connect to {address}: it does not answer")
    if isinstance(error, OSError):
        return UnavailableError(f"cannot connect to {address}: {reason(error, address)}")
    return RetryError(f"{address} does not let us in: {said}")


def _said(error: Exception) -> str:
    return printable((str(error) or type(error).__name__).removeprefix("nats: ")[:_LONGEST])


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(1):
            await client.close()
    except Exception:  # noqa: BLE001 (what is given up need not end well)
        return
