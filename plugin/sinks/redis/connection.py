"""One server: logging in, and exchanging commands for replies. Parsed by hiredis, the C client's own parser."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis

from plugin.config.secrets import Secret
from plugin.sinks.base import RetryError
from plugin.sinks.redis.encoder import pack
from plugin.sinks.redis.replies import failure
from plugin.sinks.transport.dial import Address, Limits
from plugin.sinks.transport.stream import StreamConnection
from plugin.sinks.transport.tls.context import ClientTls

_LARGEST_REPLY = 1 << 20  # bytes; CLUSTER SLOTS of a thousand nodes is some hundred KiB
_LARGEST_OF_ONE = 1 << 10


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in, and into which database."""

    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    database: int = 0


class RedisConnection:
    """A connection to one server that is opened when needed, and given up when anything about it fails."""

    def __init__(self, address: Address, login: Login, tls: ClientTls | None, limits: Limits) -> None:
        self.address = address
        self._login = login
        self._stream = StreamConnection(address, tls, limits)
        self._reader = hiredis.Reader()

    async def exchange(self, texts: Sequence[bytes | memoryview], count: int | None = None) -> list[Any]:
        """Send encoded commands, and return their replies; errors among them are instances of `hiredis.ReplyError`.

        ``count`` is how many replies there will be, where it is not one for each text.
        """
        if await self._stream.open():
            self._reader = hiredis.Reader()
            await self._log_in()
        return await self._exchange(texts, len(texts) if count is None else count)

    async def call(self, *arguments: bytes) -> Any:
        """Send one command, and return its reply; raises the `SinkError` that an error as a reply is."""
        (reply,) = await self.exchange([pack(*arguments)])
        return self._checked(reply)

    async def close(self) -> None:
        """Close the connection."""
        await self._stream.close()

    async def _exchange(self, texts: Sequence[bytes | memoryview], count: int) -> list[Any]:
        try:
            await self._stream.write(texts[0] if len(texts) == 1 else b"".join(texts))
            replies: list[Any] = []
            size = 0
            while len(replies) < count:
                content = await self._stream.read()
                size += len(content)
                if size > _LARGEST_REPLY + _LARGEST_OF_ONE * count:
                    raise hiredis.ProtocolError("a reply without an end")  # noqa: TRY301
                self._reader.feed(content)
                while (reply := self._reader.gets()) is not False:
                    replies.append(reply)
            if len(replies) > count or self._reader.has_data():
                raise hiredis.ProtocolError("more replies than commands")  # noqa: TRY301 (as those of the parser)
        except hiredis.ProtocolError as error:
            await self._stream.close()
            raise RetryError(f"{self.address} does not answer as Redis does") from error
        except BaseException:
            await self._stream.close()  # replies may still come, and would be taken for those of the next commands
            raise
        return replies

    async def _log_in(self) -> None:
        login = self._login
        password = login.password.reveal().encode()
        texts = []
        if password:
            texts.append(pack(b"AUTH", *([login.user.encode()] if login.user else []), password))
        if login.database:
            texts.append(pack(b"SELECT", b"%d" % login.database))
        if not texts:
            return
        try:
            for reply in await self._exchange(texts, len(texts)):
                self._checked(reply)
        except BaseException:
            await self._stream.close()
            raise

    def _checked(self, reply: Any) -> Any:
        if isinstance(reply, hiredis.ReplyError):
            raise failure(self.address, str(reply))
        return reply
