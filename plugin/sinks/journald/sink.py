"""``journald``: systemd's journal on this host."""

from collections.abc import Sequence

from plugin.sinks.base import Origin, Record, Sink
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.journald.encoder import Head, encode_entries, make_head
from plugin.sinks.journald.journal_socket import JournalSocket
from plugin.sinks.journald.options import JournaldOptions
from plugin.sinks.transport import datagram

# They are part of every entry that journald stores, and count among the 1024 fields of one.
_BOUNDS = Bounds(size=64 * 1024, value=32 * 1024, count=500)


class JournaldSink(Sink[Head]):
    """One journal: an entry for each line, or for each of the engine's parts of a long one."""

    declaration = JournaldOptions
    joins_parts = False

    def __init__(self, options: JournaldOptions) -> None:
        """Take the options; see `Sink`."""
        self._label = f"journald@{options.destination}"
        self._socket = JournalSocket(options.socket, options.timeout)

    def prepare(self, origin: Origin) -> Head:
        """Encode the fields that all entries of a container have."""
        return make_head(bounded(origin, self._label, _BOUNDS))

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode entries."""
        return datagram.pack(encode_entries(records))

    async def send(self, payload: bytes) -> None:
        """Send the entries; return when journald has read them."""
        await self._socket.send(payload)

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()


SINK = JournaldSink
