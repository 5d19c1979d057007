"""The sink ``s3``: objects in a bucket of S3, or of a server that speaks its protocol."""

import asyncio
from collections.abc import Iterator, Sequence

from plugin.docker.tag import TagError
from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink, TooLargeError
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.encoding.compression import compressor
from plugin.sinks.s3.bucket import Bucket
from plugin.sinks.s3.encoder import PreparedObjects, StoredObject, decode_batch, encode_batch, prepare_objects
from plugin.sinks.s3.options import S3Options

_ATTRIBUTES = Bounds(size=64 * 1024, value=32 * 1024)
_AT_ONCE = 8
_SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}


class S3Sink(Sink[PreparedObjects]):
    """Puts objects under keys that are those of one batch for good, unless they are there."""

    declaration = S3Options
    notes_batches = True

    def __init__(self, options: S3Options) -> None:
        """Take the options; see `Sink`."""
        self._label = f"{options.name}@{options.destination}"
        self._key = options.key
        self._compress = compressor(options.compression)
        self._suffix = _SUFFIXES[options.compression]
        self._bucket = Bucket(options)
        self._stored: set[str] = set()

    def prepare(self, origin: Origin) -> PreparedObjects:
        """Make what is the same for all objects of a container.

        Raises `MisconfiguredError` if keys cannot be made for it.
        """
        try:
            folder = self._key.render(origin.info)
        except TagError as error:
            raise MisconfiguredError(f"log-opt 's3-key': {error}") from error
        return prepare_objects(bounded(origin, self._label, _ATTRIBUTES), folder)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode objects, compressed where asked for."""
        return encode_batch(records, self._compress, self._suffix)

    async def send(self, payload: bytes) -> None:
        """Put all objects of a batch, some at once; returns when each is there, now or before.

        The largest goes first and alone: if it is too large, nothing of the batch is stored, so that it may be cut.
        Those that are stored are not sent again when others have failed.
        """
        objects = sorted(decode_batch(payload), key=lambda one: len(one.content), reverse=True)
        self._stored &= {one.key for one in objects}
        left = iter([one for one in objects if one.key not in self._stored])
        if not self._stored and (largest := next(left, None)) is not None:
            await self._bucket.put(largest.key, largest.content)
            self._stored.add(largest.key)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._put_all(left))
        except BaseExceptionGroup as faults:
            raise _first(faults) from None
        self._stored.clear()

    async def close(self) -> None:
        """Close the connections."""
        await self._bucket.close()

    async def _put_all(self, objects: Iterator[StoredObject]) -> None:
        for one in objects:
            try:
                await self._bucket.put(one.key, one.content)
            except TooLargeError as error:
                raise MisconfiguredError(f"{error} (a larger object was taken)") from error
            self._stored.add(one.key)


def _first(faults: BaseExceptionGroup[BaseException]) -> BaseException:
    fault = faults.exceptions[0]
    return _first(fault) if isinstance(fault, BaseExceptionGroup) else fault


SINK = S3Sink
