"""The options of the sink ``json-file``."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from plugin.config import types
from plugin.config.files import access, bounded
from plugin.config.parsing import quote
from plugin.config.schema import Option, SinkOptions
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import Tag, compile_tag
from plugin.errors import PeaveyError
from plugin.sinks.base import MisconfiguredError

_EXAMPLE = "/var/log/peavey/{{.Name}}-{{.FullID}}.log"


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """The path of a file, or of one per container; what it is made of for a container stays below ``folder``."""

    template: Tag
    folder: str

    def render(self, info: Info) -> Path:
        """Return the path for a container; raises `MisconfiguredError` if it leads out of the folder."""
        text = self.template.render(info)
        path = os.path.normpath(text)
        if "\0" in text or text.endswith("/") or not path.startswith(self.folder) or len(path) == len(self.folder):
            raise MisconfiguredError(
                f"json-file-path gives {quote(text)} for this container, which is not a file below {quote(self.folder)}"
            )
        try:
            access().check(path, write=True)
        except ValueError as fault:
            raise MisconfiguredError(f"json-file-path: {fault}") from None
        return Path(path)


def _parse_path(text: str) -> PathTemplate:
    literal = text.partition("{{")[0]
    if not text.startswith("/") or text.endswith("/") or "\0" in text:
        raise ValueError(f"{quote(text)} is not the absolute path of a file (example: {_EXAMPLE})")
    folder = os.path.normpath("/" + literal.rpartition("/")[0].strip("/"))
    return PathTemplate(compile_tag(text), folder if folder.endswith("/") else f"{folder}/")


def _permit(path: PathTemplate) -> None:
    access().check(path.folder.rstrip("/"), write=True)


class JsonFileOptions(SinkOptions):
    """Files, and how they are rotated."""

    name = "json-file"
    prefix = "json-file-"
    help = "Files on this host, as Docker's json-file driver writes them, for an agent that follows them."
    acknowledged = "The lines are written to the file; nothing is forced to the disk."
    defaults: ClassVar[Mapping[str, str]] = {"tag": ""}

    path = Option(
        name="json-file-path",
        kind=Kind[PathTemplate](parse=_parse_path, accepts="absolute path, a Go template as tag is", permit=_permit),
        required=True,
        help=(
            f"The file, or one per container: {_EXAMPLE}. Folders are made. The setting PEAVEY_FILE_ROOTS says below "
            "which folders it may lie; of a managed plugin, /run/docker/logging/files, which the host sees as "
            "/var/lib/docker/plugins/ID/propagated-mount/files."
        ),
    )
    max_size = Option(
        name="json-file-max-size",
        kind=types.size(minimum=1),
        default="20m",
        help="How large a file may grow before the next one is begun. (max-size is the journal's, here as everywhere.)",
    )
    max_file = Option(
        name="json-file-max-file",
        kind=types.integer(1, 1000),
        default="5",
        help="How many files there are of a name, NAME, NAME.1 and so on; the oldest is removed, whether read or not.",
    )
    compress = Option(
        name="json-file-compress",
        kind=types.BOOLEAN,
        default="false",
        help="Whether full files are compressed, to NAME.1.gz.",
    )

    def check(self) -> Iterator[str]:
        """Yield a fault where no full file is kept that could be compressed."""
        if self.compress and self.max_file == 1:
            compress, max_file = self.name_of(JsonFileOptions.compress), self.name_of(JsonFileOptions.max_file)
            yield f"log-opt {quote(compress)} needs {quote(max_file)} of at least 2"

    @property
    def destination(self) -> str:
        """Where it sends to: the file, or its template."""
        return self.path.template.text

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield why the path cannot be that of this container's file."""
        try:
            path = self.path.render(info)
            bounded(str(path), access().check_new, path)
        except (PeaveyError, ValueError) as error:
            yield str(error)


OPTIONS = JsonFileOptions
