"""json-file in the conformance suite."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from tests.sinks.conformance import Entry
from tests.sinks.json_file.receiver import decode_json_file
from tests.sinks.receiving.received import Received


class Files:
    """The folder of a json-file sink; while it is down, something else is in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "logs"
        self._itself = folder / "itself"
        self._itself.mkdir()
        self._next = folder / "next"
        self.start()

    def start(self) -> None:
        """Put the folder where it belongs."""
        self._next.symlink_to(self._itself)
        self._next.replace(self.folder)

    def stop(self) -> None:
        """Put a file in the folder's place, at one stroke: the sink would make a folder where there is nothing."""
        self._next.touch()
        self._next.replace(self.folder)

    @property
    def received(self) -> list[Received]:
        """All lines of all files."""
        files = sorted(self.folder.glob("*.log")) if self.folder.is_dir() else []
        return [record for file in files for record in decode_json_file(file.read_bytes(), file.stem)]


@contextlib.contextmanager
def _files(folder: Path) -> Iterator[Files]:
    yield Files(folder)


def _as_go_text(line: bytes) -> bytes | None:
    """Go's JSON encoder makes a replacement character of each byte that is not UTF-8."""
    return re.sub("[\udc80-\udcff]", "\ufffd", line.decode("utf-8", "surrogateescape")).encode()


ENTRIES = (
    Entry(
        "json-file",
        lambda at: {"json-file-path": f"{at.folder}/{{{{.Name}}}}.log"},
        _files,
        _as_go_text,
        faults=frozenset({"down"}),
    ),
)
