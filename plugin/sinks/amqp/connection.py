"""A connection to one of several servers, made by aio-pika: messages over it, and their confirms."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from typing import Any, cast

import aio_pika
import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import exceptions

from plugin.config.parsing import printable
from plugin.config.secrets import Secret
from plugin.sinks.amqp.encoder import Message
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, UnavailableError
from plugin.sinks.transport.bounded_reader import bound
from plugin.sinks.transport.dial import Address, reason
from plugin.sinks.transport.tls.context import ClientTls
from plugin.sinks.transport.tls.layer import tls_failure

# They tell of every failure once more, some with a traceback.
for _name in ("aiormq", "aio_pika"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_LARGEST_FRAME = 1 << 20
"""Bytes; 128 KiB are agreed on at most when connecting."""


class _Frames(aiormq.connection.FrameReceiver):
    """Reads no frame that is larger than any can be."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(bound(reader, _LARGEST_FRAME))


aiormq.connection.FrameReceiver = _Frames  # type: ignore[misc]

_LONGEST = 200
_WINDOW = 256
"""How many messages are under way at most."""
_PERSISTENT = 2
_CLOSE_WITHIN = 1.0


class AmqpConnection:
    """A connection that is opened when needed, to the next server where one fails, and given up when anything fails.

    ``login`` is user and password; ``limit`` how many seconds connecting may take, and the wait for the next confirm.
    """

    def __init__(
        self, addresses: tuple[Address, ...], vhost: str, login: tuple[str, Secret], tls: ClientTls | None, limit: float
    ) -> None:
        self._addresses = addresses
        self._vhost = vhost
        self._login = login
        self._tls = tls
        self._limit = limit
        self._next = 0
        self._connection: AbstractConnection | None = None
        self._channel: aiormq.Channel | None = None

    def __str__(self) -> str:
        """Name the server in use, for messages."""
        return str(self._addresses[self._next])

    async def publish(self, messages: list[Message], confirmed: Callable[[int], None]) -> None:
        """Publish messages in order; ``confirmed`` is told how many from the first on are, as this grows.

        Raises a `SinkError`, and then some of the others may have arrived as well.
        """
        channel = await self._open()
        pending: list[asyncio.Task[None]] = []
        done = 0
        try:
            for message in messages:
                pending.append(asyncio.create_task(self._publish(channel, message)))
                if len(pending) >= _WINDOW:
                    await self._first(pending)
                    done += 1
                    confirmed(done)
            while pending:
                await self._first(pending)
                done += 1
                confirmed(done)
        except BaseException as error:
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            await self._give_up()
            if isinstance(error, SinkError) or not isinstance(error, Exception):
                raise
            raise self._failure(error) from error

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await _close(connection)

    async def _first(self, pending: "list[asyncio.Task[None]]") -> None:
        """Wait for the confirm of the first message."""
        try:
            async with asyncio.timeout(self._limit):
                await asyncio.shield(pending[0])
        except TimeoutError:
            raise UnavailableError(f"{self} has confirmed nothing for {self._limit:g} s") from None
        del pending[0]

    async def _publish(self, channel: aiormq.Channel, message: Message) -> None:
        properties = aiormq.spec.Basic.Properties(
            content_type="application/json" if message.lines == 1 else "application/x-ndjson",
            delivery_mode=_PERSISTENT,
            message_id=message.id,
            app_id="peavey",
        )
        await channel.basic_publish(
            message.text,
            exchange=message.exchange,
            routing_key=message.routing_key,
            properties=properties,
            mandatory=True,
            wait=False,
        )

    async def _open(self) -> aiormq.Channel:
        """Return a channel with confirms; connects if there is none, and tries each server once."""
        if self._channel is not None and not self._channel.is_closed:
            return self._channel
        await self.close()
        problem: SinkError | None = None
        for _ in self._addresses:
            try:
                return await self._connect(self._addresses[self._next])
            except SinkError as error:
                if not isinstance(problem, MisconfiguredError):
                    problem = error
                self._next = (self._next + 1) % len(self._addresses)
        raise problem or UnavailableError("amqp-url names no server")

    async def _connect(self, address: Address) -> aiormq.Channel:
        user, password = self._login
        tls = None if self._tls is None else self._tls.context()
        try:
            async with asyncio.timeout(self._limit):
                self._connection = await aio_pika.connect(
                    host=address.host,
                    port=address.port,
                    login=user,
                    password=password.reveal(),
                    virtualhost=self._vhost,
                    ssl=tls is not None,
                    ssl_context=tls,
                    client_properties={"connection_name": "peavey"},
                )
                channel: AbstractChannel = self._connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.initialize()
                self._channel = cast("aiormq.Channel", await channel.get_underlay_channel())
        except TimeoutError:
            await self.close()
            raise UnavailableError(f"cannot connect to {address} within {self._limit:g} s") from None
        except Exception as error:
            await self.close()
            raise _connect_failure(address, error) from error
        return self._channel

    async def _give_up(self) -> None:
        """Close the connection, and let the next one be to another server."""
        self._next = (self._next + 1) % len(self._addresses)
        await self.close()

    def _failure(self, error: Exception) -> SinkError:
        """Return the failure that an error in publishing is."""
        said = _said(error)
        if isinstance(error, exceptions.PublishError):
            returned: Any = error.frame
            where = f"the exchange {returned.exchange}" if returned.exchange else "the default exchange"
            return MisconfiguredError(
                f"{self} has returned a message ({printable(returned.reply_text)}): {where} has no queue for the"
                f" routing key {printable(returned.routing_key)}; bind one, or see amqp-exchange and amqp-routing-key"
            )
        if isinstance(error, exceptions.DeliveryError):
            return RetryError(f"{self} does not take a message now: a queue is full, or has no majority of its nodes")
        if isinstance(error, exceptions.ChannelNotFoundEntity):
            return MisconfiguredError(f"{self}: {said}; declare the exchange, or see amqp-exchange")
        if isinstance(error, exceptions.ChannelAccessRefused):
            return MisconfiguredError(f"{self}: {said}; the user needs the permission to write to the exchange")
        if isinstance(error, exceptions.ChannelPreconditionFailed):
            return RejectError(f"{self}: {said}")
        if isinstance(error, (exceptions.AMQPError, OSError, RuntimeError)):
            return UnavailableError(f"the connection to {self} broke: {said}")
        return RetryError(f"{self}: {said}")


def _connect_failure(address: Address, error: Exception) -> SinkError:
    """Return the failure that an error in connecting is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return tls_failure(address, cause)
        cause = cause.__cause__
    if isinstance(error, (exceptions.AuthenticationError, exceptions.ProbableAuthenticationError)):
        return MisconfiguredError(
            f"{address} refuses the login: {_said(error)}; see amqp-url, amqp-username and amqp-password"
        )
    # aiormq keeps the reason to itself here: no such virtual host, or no permission for it.
    if isinstance(error, exceptions.InvalidFrameError) and "Connection.OpenOk" in _said(error):
        return MisconfiguredError(
            f"{address} refuses the virtual host: it is not there, or the user has no permission for it; see amqp-url"
        )
    if isinstance(error, exceptions.IncompatibleProtocolError):
        return RetryError(f"{address} does not answer as AMQP 0-9-1 does (is it TLS there? amqps://)")
    if isinstance(error, OSError) and error.errno:
        return UnavailableError(f"cannot connect to {address}: {reason(error, address)}")
    return UnavailableError(f"cannot connect to {address}: {_said(error)}")


def _said(error: Exception) -> str:
    """Return what the server has said, without numbers that differ each time."""
    texts = [text for text in error.args if isinstance(text, str)]
    return printable((" ".join(texts) or type(error).__name__)[:_LONGEST])


async def _close(connection: AbstractConnection) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSE_WITHIN):
            await connection.close()
