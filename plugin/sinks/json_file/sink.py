"""``json-file``: files as Docker's driver of that name writes them, for an agent that follows them."""

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgpack

from plugin.config.parsing import printable, quote
from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink, UnavailableError
from plugin.sinks.json_file.encoder import PreparedLines, after_line, encode_lines
from plugin.sinks.json_file.options import JsonFileOptions
from plugin.sinks.json_file.rotating_file import Rotation, append


class JsonFileSink(Sink[PreparedLines]):
    """Files on this host. What is written counts as delivered; nothing is forced to the disk, as in Docker's driver."""

    declaration = JsonFileOptions
    joins_parts = False

    def __init__(self, options: JsonFileOptions) -> None:
        self._path = options.path
        self._rotation = Rotation(options.max_size, options.max_file, options.compress)
        self._failed: tuple[bytes, dict[bytes, int]] = (b"", {})
        self._thread: ThreadPoolExecutor | None = None

    def prepare(self, origin: Origin) -> PreparedLines:
        """Make the path, and the attributes as Docker's driver does: a tag is one of them where there is one."""
        values = dict(origin.attributes) | ({"tag": origin.tag} if origin.tag else {})
        after = {source: after_line(source, values) for source in ("stdout", "stderr")}
        return PreparedLines(os.fsencode(self._path.render(origin.info)), after)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode lines, file by file: pairs of path and content in MessagePack, one behind the other."""
        return b"".join(
            msgpack.packb((path, content), use_bin_type=True) for path, content in encode_lines(records).items()
        )

    async def send(self, payload: bytes) -> None:
        """Add the lines to their files; those of a payload that failed are not added again with it."""
        failed, positions = self._failed
        if failed != payload:
            positions = {}
        self._failed = payload, positions
        # A thread of its own: a file system that hangs holds up nothing else, and no look-up that hangs this.
        self._thread = self._thread or ThreadPoolExecutor(1, "json-file")
        abandoned = threading.Event()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, payload, positions, abandoned)
        except asyncio.CancelledError:
            abandoned.set()
            raise
        self._failed = b"", {}

    async def close(self) -> None:
        """Release the thread, which ends after what it is at; no file stays open."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def _write(self, payload: bytes, positions: dict[bytes, int], abandoned: threading.Event) -> None:
        files = msgpack.Unpacker(raw=False, max_buffer_size=len(payload))
        files.feed(payload)
        for name, lines in files:
            path = Path(os.fsdecode(name))
            position = positions.get(name, 0)
            while position < len(lines):
                if abandoned.is_set():
                    return
                try:
                    position = append(path, lines, position, self._rotation)
                except OSError as error:
                    raise _failure(path, error) from error
                positions[name] = position


def _failure(path: Path, error: OSError) -> UnavailableError | MisconfiguredError:
    text = f"cannot write {quote(str(path))}: {printable(error.strerror or str(error))}"
    if isinstance(error, (PermissionError, NotADirectoryError, IsADirectoryError)):
        return MisconfiguredError(text)
    return UnavailableError(text)


SINK = JsonFileSink
