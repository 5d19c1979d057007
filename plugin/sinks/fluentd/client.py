"""A client of a Forward server: connecting, the handshake with a shared key, and waiting for acknowledgements."""

import asyncio
import os
from typing import Any

from plugin.config.parsing import printable
from plugin.sinks.base import MisconfiguredError, RetryError
from plugin.sinks.fluentd import protocol
from plugin.sinks.transport.http.responses import mask
from plugin.sinks.transport.stream import StreamConnection

_HANDSHAKE_LIMIT = 10.0
_MOST_UNASKED = 65_536
_LONGEST_REASON = 600


class SilentError(RetryError):
    """The server takes what is sent, and says nothing for too long."""


class ForwardClient:
    """One server, over one connection at a time.

    ``credentials``
        for the handshake; None where the server has no shared key
    ``patience``
        how many seconds to wait for an acknowledgement
    ``lifetime``
        after how many seconds a connection is replaced; 0 for never
    """

    def __init__(
        self,
        connection: StreamConnection,
        credentials: protocol.Credentials | None,
        *,
        patience: float,
        lifetime: float,
    ) -> None:
        self._connection = connection
        self._credentials = credentials
        self._patience = patience
        self._lifetime = lifetime
        self._answers = protocol.Answers()
        self._opened = 0.0
        self._keepalive = True
        self._ever_acknowledged = False
        self._failed: tuple[bytes, set[str]] = (b"", set())

    async def send(self, payload: bytes) -> None:
        """Send messages without asking; return when the server's kernel has all bytes."""
        await self._open()
        await self._connection.write(payload)
        await self._connection.drained()

    async def send_acknowledged(self, payload: bytes) -> None:
        """Send messages that ask for it, and return when all are acknowledged.

        Those that were acknowledged of a payload that failed all the same are not sent again with it.
        """
        failed, acknowledged = self._failed
        if failed != payload:
            acknowledged = set()
        pending = {chunk: text for chunk, text in protocol.chunks(payload) if chunk not in acknowledged}
        self._failed = payload, acknowledged
        while pending:
            is_new = await self._open()
            missing = len(pending)
            try:
                await self._exchange(pending, acknowledged)
            except SilentError:
                raise
            except RetryError:
                # A server may close at any time between messages, and some do after each.
                if is_new and len(pending) == missing:
                    raise
        self._failed = b"", set()

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _open(self) -> bool:
        """Connect where needed and shake hands; tell whether the connection is new."""
        now = asyncio.get_running_loop().time
        if self._lifetime and self._connection.is_open and now() - self._opened >= self._lifetime:
            await self._connection.close()
        if not await self._connection.open():
            return False
        self._opened = now()
        self._answers = protocol.Answers()
        self._keepalive = True
        if self._credentials:
            try:
                async with asyncio.timeout(_HANDSHAKE_LIMIT):
                    await self._shake_hands(self._credentials)
            except TimeoutError:
                await self._connection.close()
                raise RetryError(
                    f"{self._connection.address} does not greet within {_HANDSHAKE_LIMIT:g} s: if it has no shared key,"
                    f" leave out fluentd-shared-key"
                ) from None
            except BaseException:
                await self._connection.close()
                raise
        return True

    async def _shake_hands(self, credentials: protocol.Credentials) -> None:
        address = self._connection.address
        helo = protocol.read_helo(await self._answer())
        if helo is None:
            raise MisconfiguredError(f"{address} does not greet as a Forward server with a shared key does")
        salt = os.urandom(16).hex()
        await self._connection.write(protocol.ping(helo, credentials, salt))
        try:
            fault = protocol.pong_fault(await self._answer(), helo, credentials, salt)
        except RetryError as error:
            # Fluent Bit gives no other answer to a wrong key.
            raise RetryError(f"{error} during the handshake: is fluentd-shared-key the server's?") from error
        except protocol.AnswerError as error:
            raise RetryError(f"{address} broke off the handshake: {error}") from error
        if fault:
            fault = mask(fault, (credentials.shared_key,))[:_LONGEST_REASON]
            raise MisconfiguredError(f"{address} refuses us: {printable(fault)}")
        self._keepalive = helo.keepalive

    async def _answer(self) -> Any:
        """Read one message of the handshake, in which the server never sends two at once."""
        while True:
            for answer in self._take(await self._connection.read()):
                return answer

    def _take(self, data: bytes) -> list[Any]:
        try:
            return list(self._answers.feed(data))
        except protocol.AnswerError as error:
            raise RetryError(f"{self._connection.address} does not answer as a Forward server does") from error

    async def _exchange(self, pending: dict[str, memoryview], acknowledged: set[str]) -> None:
        """Send messages, and take each that is acknowledged from ``pending`` to ``acknowledged``."""
        texts = list(pending.values())[: None if self._keepalive else 1]
        remaining = len(pending) - len(texts)
        await self._connection.write(b"".join(texts))
        now = asyncio.get_running_loop().time
        unasked = 0
        deadline = now() + self._patience
        try:
            while len(pending) > remaining:
                missing = len(pending)
                data = await self._read_acknowledgement(deadline)
                for answer in self._take(data):
                    self._note(answer, pending, acknowledged)
                if len(pending) < missing:
                    unasked = 0
                    deadline = now() + self._patience
                else:
                    unasked += len(data)
                    self._require_end(unasked)
        except BaseException:
            await self._connection.close()
            raise
        if not self._keepalive:
            await self._connection.close()

    def _require_end(self, unasked: int) -> None:
        if unasked > _MOST_UNASKED:
            raise RetryError(f"{self._connection.address} answers without end, but does not acknowledge")

    async def _read_acknowledgement(self, deadline: float) -> bytes:
        address, limit = self._connection.address, self._patience
        try:
            async with asyncio.timeout_at(deadline):
                return await self._connection.read(limit + 1)
        except TimeoutError:
            raise SilentError(f"{address} did not acknowledge within {limit:g} s{self._hint()}") from None
        except RetryError as error:
            raise RetryError(f"{error} before it acknowledged{self._hint()}") from error

    def _hint(self) -> str:
        if self._ever_acknowledged:
            return ""
        return (
            ": if this server does not acknowledge at all, set fluentd-request-ack=false"
            " (lines that it had taken in are then lost when it dies)"
        )

    def _note(self, answer: Any, pending: dict[str, memoryview], acknowledged: set[str]) -> None:
        chunk = protocol.read_ack(answer)
        if chunk is not None:
            self._ever_acknowledged = True
            if pending.pop(chunk, None) is not None:
                acknowledged.add(chunk)
        elif protocol.read_helo(answer):
            raise MisconfiguredError(f"{self._connection.address} asks for a shared key: set fluentd-shared-key")
        else:
            raise RetryError(f"{self._connection.address} does not answer as a Forward server does")
