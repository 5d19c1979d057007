"""A producer made by aiokafka, and what becomes of its errors."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, conn, errors
from aiokafka.conn import create_conn

from plugin.config.parsing import printable
from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RetryError, SinkError, UnavailableError
from plugin.sinks.transport.bounded_reader import bound
from plugin.sinks.transport.dial import Address, reason
from plugin.sinks.transport.tls.context import ClientTls
from plugin.sinks.transport.tls.layer import tls_failure

# It logs each attempt, and what it sends at debug: what matters of that comes as errors.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)

_LONGEST = 200
_LARGEST_ANSWER = 32 << 20
"""Bytes; the metadata of a cluster with a hundred thousand partitions is some megabytes."""
_CLOSING = 1.0
_TOPIC_WAIT = 5.0
"""Seconds that brokers which create topics by themselves may take for one."""

_LOGIN = (
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.IllegalSaslStateError,
    errors.SaslAuthenticationFailed,
    errors.UnsupportedSaslMechanismError,
)
_SIDE = (errors.TopicAuthorizationFailedError, errors.ClusterAuthorizationFailedError, errors.SecurityDisabled)


class _Protocol(conn.AIOKafkaProtocol):  # type: ignore[misc]
    """Reads no answer that is larger than any can be."""

    def __init__(self, closed: "asyncio.Future[None]", reader: asyncio.StreamReader, *args: Any, **kwargs: Any) -> None:
        super().__init__(closed, bound(reader, _LARGEST_ANSWER), *args, **kwargs)


conn.AIOKafkaProtocol = _Protocol


@dataclass(frozen=True, slots=True)
class Login:
    """User, password, and how they are told; no user for none."""

    user: str = ""
    password: Secret | None = None
    mechanism: str = "PLAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Producing:
    """How batches are made: aiokafka's name of the compression, bytes of a batch, seconds that a request may take."""

    compression: str | None
    most_bytes: int
    limit: float


class KafkaConnection:
    """A producer, made when needed, for the brokers of one cluster; it reconnects by itself."""

    def __init__(
        self, addresses: tuple[Address, ...], login: Login, tls: ClientTls | None, producing: Producing
    ) -> None:
        self._addresses = addresses
        self._login = login
        self._tls = tls
        self._producing = producing
        self._producer: AIOKafkaProducer | None = None

    def __str__(self) -> str:
        """Name the brokers, for messages."""
        return ",".join(map(str, self._addresses))

    async def open(self) -> AIOKafkaProducer:
        """Return the producer, started, unless it is there already."""
        if self._producer is None:
            await self.check()
            producer = AIOKafkaProducer(
                bootstrap_servers=[str(address) for address in self._addresses],
                client_id="peavey",
                acks="all",
                enable_idempotence=True,
                compression_type=self._producing.compression,
                max_batch_size=self._producing.most_bytes,
                request_timeout_ms=int(self._producing.limit * 1000),
                **self._options(),
            )
            try:
                async with asyncio.timeout(self._producing.limit):
                    await producer.start()
            except BaseException as error:
                await _close(producer)
                if isinstance(error, TimeoutError):
                    raise UnavailableError(
                        f"{self} has not let us produce within {self._producing.limit:g} s"
                    ) from None
                if isinstance(error, errors.KafkaConnectionError) and not self._login.user:
                    raise RetryError(f"{self} close the connection: they may want a login (kafka-username)") from error
                if isinstance(error, errors.KafkaError):
                    raise self.failure(error) from error
                raise
            _watch(producer)
            self._producer = producer
        return self._producer

    async def check(self) -> None:
        """Connect to one broker, and leave it; raises what keeps all of them from letting us in."""
        problem: SinkError | None = None
        for address in self._addresses:
            try:
                await self._try(address)
            except SinkError as error:
                if not isinstance(problem, MisconfiguredError):
                    problem = error
            else:
                return
        raise problem or UnavailableError("kafka-brokers names no broker")

    async def find_partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        producer = await self.open()
        limit = min(_TOPIC_WAIT, self._producing.limit)
        try:
            async with asyncio.timeout(limit):
                return len(await producer.partitions_for(topic))
        except errors.TopicAuthorizationFailedError as error:
            raise self.failure(error, topic) from None
        except (TimeoutError, errors.KafkaError):
            pass
        await self.check()
        if await self._answers(producer):
            raise MisconfiguredError(
                f"{self}: there is no topic {topic}: make it, such as by kafka-topics.sh --create --topic {topic}, "
                f"or let the brokers create topics (auto.create.topics.enable)"
            )
        raise UnavailableError(f"{self} does not tell of the topic {topic}")

    async def _answers(self, producer: AIOKafkaProducer) -> bool:
        try:
            async with asyncio.timeout(min(_TOPIC_WAIT, self._producing.limit)):
                return bool(await producer.client.force_metadata_update())
        except (TimeoutError, errors.KafkaError):
            return False

    async def close(self) -> None:
        """Close the producer; what it has under way fails."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _close(producer)

    def failure(self, error: BaseException, topic: str = "") -> SinkError:
        """Return the failure that an error of aiokafka is."""
        said = _said(error)
        if isinstance(error, errors.TopicAuthorizationFailedError):
            return MisconfiguredError(
                f"{self}: the user may not write to the topic {topic}: give it WRITE and DESCRIBE"
            )
        if isinstance(error, _SIDE):
            return MisconfiguredError(f"{self} refuses: {said}; the user needs IDEMPOTENT_WRITE (Kafka before 2.8)")
        if isinstance(
            error, (errors.InvalidTopicError, errors.InvalidRequiredAcksError, errors.UnsupportedVersionError)
        ):
            return MisconfiguredError(f"{self} refuses records for the topic {topic}: {said}")
        if isinstance(error, (errors.UnsupportedForMessageFormatError, errors.PolicyViolationError)):
            return MisconfiguredError(f"{self} refuses records for the topic {topic}: {said}")
        return RetryError(f"{self}: {said}")

    def _options(self) -> Mapping[str, Any]:
        tls = {"ssl_context": self._tls.context()} if self._tls else {}
        login = self._login
        if not login.user or login.password is None:
            return {"security_protocol": "SSL" if tls else "PLAINTEXT", **tls}
        return {
            "security_protocol": "SASL_SSL" if tls else "SASL_PLAINTEXT",
            "sasl_mechanism": login.mechanism,
            "sasl_plain_username": login.user,
            "sasl_plain_password": login.password.reveal(),
            **tls,
        }

    async def _try(self, address: Address) -> None:
        limit = self._producing.limit
        try:
            async with asyncio.timeout(limit):
                connection = await create_conn(
                    address.host,
                    address.port,
                    client_id="peavey",
                    request_timeout_ms=int(limit * 1000),
                    **self._options(),
                )
                connection.close()
        except (OSError, errors.KafkaError, ValueError, AssertionError) as error:
            raise self._refusal(address, error) from error

    def _refusal(self, address: Address, error: Exception) -> SinkError:
        said = _said(error)
        # A server of TLS 1.3 refuses our certificate when the connection is there already.
        if isinstance(error.__cause__, ssl.SSLError):
            return tls_failure(address, error.__cause__)
        if isinstance(error, ssl.SSLError):
            return tls_failure(address, error)
        if isinstance(error, TimeoutError):
            return UnavailableError(f"cannot connect to {address}: it does not answer{self._hint()}")
        if isinstance(error, OSError):
            return UnavailableError(f"cannot connect to {address}: {reason(error, address)}")
        if isinstance(error, _LOGIN):
            return MisconfiguredError(
                f"{address} refuses the login: {said}; see kafka-username, kafka-password and kafka-sasl-mechanism"
            )
        if isinstance(error, errors.KafkaError):
            return RetryError(f"{address} does not let us in: {said}{self._hint()}")
        return RetryError(f"{address} does not answer as a broker does: {said}")

    def _hint(self) -> str:
        return "" if self._tls else " (kafka-tls=true, if it wants TLS)"


def _watch(producer: AIOKafkaProducer) -> None:
    """Fail what is under way if the task ends that sends it; aiokafka's own watch stumbles without transactions."""
    sender = producer._sender

    def note(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            producer._message_accumulator.fail_all(error)

    sender.sender_task.remove_done_callback(sender._fail_all)
    sender.sender_task.add_done_callback(note)


async def _close(producer: AIOKafkaProducer) -> None:
    """End a producer, whatever it waits for."""
    producer._message_accumulator.fail_all(errors.ProducerClosed())
    for end in (producer.stop(), producer._sender.close(), producer.client.close()):
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSING):
                await end


def _said(error: BaseException) -> str:
    return printable((str(error) or type(error).__name__)[:_LONGEST])
