"""``redis``: streams of Redis, and of servers that speak as it does.

Commands: https://redis.io/docs/latest/commands/xadd/.
"""

from collections.abc import Sequence

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.container_members import names_of
from plugin.sinks.redis.client import RedisClient
from plugin.sinks.redis.connection import Login, RedisConnection
from plugin.sinks.redis.encoder import Stream, encode_commands, make_stream
from plugin.sinks.redis.options import RedisOptions
from plugin.sinks.transport.dial import Address, Limits

_OWN_FIELDS = frozenset({"timestamp", "source", "log", "offset", "level", "fields"})


# They are fields of every entry, and all streams are in memory.
_ATTRIBUTES = Bounds(size=64 * 1024, value=16 * 1024)


class RedisSink(Sink[Stream]):
    """Adds entries to a stream per container; acknowledged by the reply, and by replicas where asked for."""

    declaration = RedisOptions

    def __init__(self, options: RedisOptions) -> None:
        """Take the options; see `Sink`."""
        self._label = f"redis@{options.destination}"
        url = options.url
        tls = options.tls.open() if url.tls else None
        login = Login(options.username or url.user, options.password or url.password or Secret(""), url.database)
        limits = Limits(connect=min(10.0, options.timeout), write=options.timeout, read=options.timeout)

        def connect(address: Address) -> RedisConnection:
            return RedisConnection(address, login, tls, limits)

        self._template = options.stream
        self._most = options.max_length
        self._metadata = options.metadata
        self._waits = options.wait_replicas > 0
        self._client = RedisClient(url.addresses, connect, replicas=options.wait_replicas, patience=options.timeout / 2)

    def prepare(self, origin: Origin) -> Stream:
        """Make the stream's key, and the fields that all entries of a container share; its labels replace none."""
        origin = bounded(origin, self._label, _ATTRIBUTES)
        info = origin.info
        key = self._template.render(info)
        if not key:
            raise MisconfiguredError("redis-stream gives no key for this container: its template renders to nothing")
        constant = {**origin.attributes, **names_of(origin)} if self._metadata else {}
        return make_stream(
            key.encode(errors="replace"),
            origin.birth,
            self._most,
            ours=info.id in key,
            touches=self._waits,
            constant={name: value for name, value in constant.items() if value and name not in _OWN_FIELDS},
        )

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a command for each stream."""
        return encode_commands(records)

    async def send(self, payload: bytes) -> None:
        """Send the commands; return when all streams have their entries."""
        await self._client.send(payload)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


SINK = RedisSink
