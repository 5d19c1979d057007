"""``json-file``: files as Docker's driver of that name writes them, for an agent that follows them."""

import asyncio
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from plugin.config import types
from plugin.config.options import SinkChoice
from plugin.config.parsing import printable, quote
from plugin.config.schema import Option, SinkOptions
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import Tag, compile_tag
from plugin.sinks.base import MisconfiguredError, Origin, Record, Sink, UnavailableError
from plugin.sinks.json_file.encoder import Container, after_line, encode_lines
from plugin.sinks.json_file.rotating_file import Rotation, append

_EXAMPLE = "/var/log/containers/{{.Name}}-{{.FullID}}.log"


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """The path of a file, or of one per container; what it is made of for a container stays below ``folder``."""

    template: Tag
    folder: str

    def render(self, info: Info) -> Path:
        """Give the path for a container; raises `MisconfiguredError` if it leads out of the folder."""
        text = self.template.render(info)
        path = os.path.normpath(text)
        if "\0" in text or text.endswith("/") or not path.startswith(self.folder) or len(path) == len(self.folder):
            raise MisconfiguredError(
                f"json-file-path gives {quote(text)} for this container, which is no file below {quote(self.folder)}"
            )
        return Path(path)


def _parse_path(text: str) -> PathTemplate:
    literal = text.partition("{{")[0]
    if not text.startswith("/") or text.endswith("/") or "\0" in text:
        raise ValueError(f"{quote(text)} is not the absolute path of a file (example: {_EXAMPLE})")
    folder = os.path.normpath("/" + literal.rpartition("/")[0].strip("/"))
    return PathTemplate(compile_tag(text), folder if folder.endswith("/") else f"{folder}/")


PATH = Option(
    name="json-file-path",
    kind=Kind[PathTemplate](parse=_parse_path, accepts="absolute path, a Go template as tag is"),
    required=True,
    help=(
        f"The file, or one per container: {_EXAMPLE}. Folders are made. Of a managed plugin, the host sees only what is"
        " below /run/docker/logging, as /var/lib/docker/plugins/ID/propagated-mount."
    ),
)
MAX_SIZE = Option(
    name="json-file-max-size",
    kind=types.size(minimum=1),
    default="20m",
    help="How large a file may grow before the next one is begun. (max-size is the journal's, here as everywhere.)",
)
MAX_FILE = Option(
    name="json-file-max-file",
    kind=types.integer(low=1),
    default="5",
    help="How many files there are of a name, NAME, NAME.1 and so on; the oldest is removed, whether read or not.",
)
COMPRESS = Option(
    name="json-file-compress",
    kind=types.BOOLEAN,
    default="false",
    help="Whether full files are compressed, to NAME.1.gz.",
)


def _faults(values: Mapping[str, Any]) -> Iterable[str]:
    if values[COMPRESS.name] and values[MAX_FILE.name] == 1:
        yield f"log-opt {quote(COMPRESS.name)} needs {quote(MAX_FILE.name)} of at least 2"


class JsonFileSink(Sink[Container]):
    """Files on this host. What is written counts as delivered; nothing is forced to the disk, as in Docker's driver."""

    declaration = SinkOptions(
        name="json-file",
        prefix="json-file-",
        help="Files on this host, as Docker's json-file driver writes them, for an agent that follows them.",
        options=(PATH, MAX_SIZE, MAX_FILE, COMPRESS),
        defaults={"tag": ""},
        check=_faults,
    )
    joins_parts = False

    def __init__(self, choice: SinkChoice) -> None:
        self._path = choice.get(PATH)
        self._rotation = Rotation(choice.get(MAX_SIZE), choice.get(MAX_FILE), choice.get(COMPRESS))
        self._failed: tuple[bytes, dict[bytes, int]] = (b"", {})
        self._thread: ThreadPoolExecutor | None = None

    def prepare(self, origin: Origin) -> Container:
        """Make the path, and the attributes as Docker's driver does: a tag is one of them where there is one."""
        values = dict(origin.attributes) | ({"tag": origin.tag} if origin.tag else {})
        after = {source: after_line(source, values) for source in ("stdout", "stderr")}
        return Container(os.fsencode(self._path.render(origin.info)), after)

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
        """Let go of the thread, which ends after what it is at; no file stays open."""
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
