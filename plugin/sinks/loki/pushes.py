"""Which streams go to Loki in one push, so that no refusal is hidden.

Loki's distributor answers for all that it checks itself: labels, sizes, times against the clock, the tenant's rate. But
an ingester answers for the last stream of a request alone, whatever became of the others: ``instance.Push`` in
``pkg/ingester/instance.go`` of grafana/loki says so. Three of its refusals can so be hidden by a success:

- the rate of a stream, ``per_stream_rate_limit`` (``Per stream rate limit exceeded``)
- an entry too far behind the newest of its stream, half of ``max_chunk_age``, or out of order (``stream.go``)
- a stream too many, ``max_global_streams_per_user`` (``Maximum active stream limit exceeded``)

The distributor keeps the order of streams, so the last of a request is the last at its ingesters.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import cramjam
import msgpack

from plugin.docker.frames import encode_varint
from plugin.sinks.loki.encoder import EncodedStream, stream_key

# A stream stays in an ingester's memory for half an hour without entries (chunk_idle_period); while it is there, it is
# not one too many. What was seen to be taken is looked at again well before.
_PROOF_SECONDS = 300.0
_DOUBT_SECONDS = 600.0
# Loki's own limits of a stream's rate are 3 MB/s, and 15 MB at once. What stays far below shares a push.
_QUIET_RATE = 64 * 1024
_QUIET_BURST = 256 * 1024
_MOST_STREAMS = 20_000
_MOST_TAKEN = 10_000


class Stream(NamedTuple):
    """A stream of a payload.

    ``labels``
        what names it: its labels as the field of a push request, behind the tenant where it has one of its own
    ``earliest``, ``latest``, ``falls``
        as in `EncodedStream`
    ``size``
        bytes of its content before compression
    ``content``
        its part of a push request, as the inside of a snappy block
    """

    labels: bytes
    earliest: int
    latest: int
    falls: bool
    size: int
    content: bytes
    tenant: str = ""


def compress(stream: EncodedStream) -> Stream:
    """Compress the field of a push request that a stream is."""
    field = stream.field()
    content = bytes(cramjam.snappy.compress_raw(field))[len(encode_varint(len(field))) :]
    key = stream_key(stream.labels, stream.tenant)
    return Stream(key, stream.earliest, stream.latest, stream.falls, len(field), content, stream.tenant)


def pack(streams: Sequence[Stream]) -> bytes:
    """Put streams into a payload; no streams make an empty one."""
    payload: bytes = msgpack.packb(streams) if streams else b""
    return payload


def unpack(payload: bytes) -> list[Stream]:
    """Return the streams of a payload."""
    return [Stream(*values) for values in msgpack.unpackb(payload, use_list=False)] if payload else []


def push_body(streams: Sequence[Stream]) -> bytes:
    """Write the body of a push: a snappy block has the whole size first, and refers back only within its own parts."""
    return encode_varint(sum(stream.size for stream in streams)) + b"".join([stream.content for stream in streams])


@dataclass(slots=True)
class _Known:
    """What is known of a stream at Loki.

    ``proven``
        when it was last seen to be taken, by the monotonic clock
    ``latest``
        the second of the newest entry that was sent
    ``level``, ``levelled``
        a leaky bucket of the bytes that were sent, and when it was last looked at
    ``doubted_until``
        until when it is sent alone, since it may have been refused
    """

    proven: float
    latest: int
    level: float
    levelled: float
    doubted_until: float = 0.0


class Streams:
    """What is known of the streams that one destination takes.

    A push holds one stream alone, or several of one tenant, of which none is known to be at risk of a refusal: each was
    seen to be taken within five minutes, sends little, and goes on in time. The last of them, of which the answer
    tells, is the one that was seen to be taken longest ago. With ``alone`` every stream has a push of its own.
    """

    def __init__(self, largest: int, *, alone: bool = False) -> None:
        self._largest = largest
        self._alone = alone
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def plan(self, streams: Iterable[Stream], now: float) -> Iterator[list[Stream]]:
        """Yield what to send in one push each; those at risk come first."""
        quiet: list[tuple[float, Stream]] = []
        for stream in streams:
            known = self._known.get(stream.labels)
            if known is None or self._alone or self._is_at_risk(stream, known, now):
                yield [stream]
            else:
                quiet.append((known.proven, stream))
        quiet.sort(key=lambda entry: (entry[1].tenant, -entry[0]))
        push: list[Stream] = []
        size = 0
        for _, stream in quiet:
            if push and (size + stream.size > self._largest or stream.tenant != push[0].tenant):
                yield push
                push, size = [], 0
            push.append(stream)
            size += stream.size
        if push:
            yield push

    def accepted(self, push: Sequence[Stream], now: float) -> None:
        """Note that Loki has taken a push."""
        for stream in push:
            known = self._known.get(stream.labels)
            if known is None:
                known = self._known[stream.labels] = _Known(now, stream.latest, 0.0, now)
            self._known.move_to_end(stream.labels)
            known.latest = max(known.latest, stream.latest)
            known.level = _drained(known, now) + stream.size
            known.levelled = now
        self._known[push[-1].labels].proven = now
        while len(self._known) > _MOST_STREAMS:
            self._known.popitem(last=False)

    def refused(self, push: Sequence[Stream], now: float) -> None:
        """Note that Loki has refused a push, of which any stream may be at fault."""
        for stream in push:
            if known := self._known.get(stream.labels):
                known.doubted_until = now + _DOUBT_SECONDS

    def _is_at_risk(self, stream: Stream, known: _Known, now: float) -> bool:
        return (
            now - known.proven >= _PROOF_SECONDS
            or now < known.doubted_until
            or stream.falls
            or stream.earliest < known.latest
            or _drained(known, now) + stream.size > _QUIET_BURST
        )


def _drained(known: _Known, now: float) -> float:
    return max(0.0, known.level - (now - known.levelled) * _QUIET_RATE)


class Taken:
    """Streams of payloads that failed, although Loki had taken these: they are not sent again with what did fail.

    Known by all their bytes, so that the halves of such a payload have them as well.
    """

    def __init__(self) -> None:
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, streams: Iterable[Stream]) -> None:
        """Remember streams that were taken; the oldest are forgotten beyond some thousands."""
        for stream in streams:
            self._digests[_digest(stream)] = None
        while len(self._digests) > _MOST_TAKEN:
            self._digests.popitem(last=False)

    def without(self, streams: list[Stream]) -> list[Stream]:
        """Leave out those that were taken."""
        return [stream for stream in streams if _digest(stream) not in self._digests] if self._digests else streams


def _digest(stream: Stream) -> bytes:
    return blake2b(stream.content, digest_size=16, key=stream.tenant.encode()[:64]).digest()
