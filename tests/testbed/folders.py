"""Looking into the data folder: what lies there, by the names that the design of the journal gives."""

import contextlib
import os
from pathlib import Path

import zstandard

SEGMENT_NAME_LENGTH = 20


class DataFolder:
    """The files of a server, seen from outside."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def attachments(self) -> set[str]:
        """Names of the FIFOs that the plugin holds to be its own."""
        return {file.name.removesuffix(".json") for file in (self._path / "streams").glob("*.json")}

    def journal_folder(self, container: str) -> Path:
        """The folder of a container's journal."""
        return self._path / "containers" / container

    def segments(self, container: str) -> list[Path]:
        """Segments of a container's journal, oldest first, compressed ones included.

        While a segment is being compressed it is there in both forms: then the plain one.
        """
        found: dict[str, Path] = {}
        for file in sorted(self.journal_folder(container).glob("*.log*"), reverse=True):
            base, _, form = file.name.partition(".")
            if form in ("log", "log.zst") and len(base) == SEGMENT_NAME_LENGTH:
                found[base] = file
        return [found[base] for base in sorted(found)]

    def compressed(self, container: str) -> list[Path]:
        """Compressed segments of a container's journal, oldest first."""
        return [file for file in self.segments(container) if file.suffix == ".zst"]

    def plain(self, container: str) -> list[Path]:
        """Segments of a container's journal that are not compressed, oldest first."""
        return [file for file in self.segments(container) if file.suffix != ".zst"]

    def corrupt(self, container: str) -> list[Path]:
        """Files with bytes that were no frames."""
        files = self.journal_folder(container).glob("*.corrupt*")
        return sorted(file for file in files if file.suffix != ".lost")

    def journal(self, container: str) -> bytes:
        """All bytes of a container's journal; checks that each segment is named by the offset of its first byte."""
        while True:
            segments = self.segments(container)
            try:
                contents = [_read(file) for file in segments]
            except FileNotFoundError:  # it was compressed between looking and reading
                continue
            # A folder that changes while it is listed can hide a file that is there all the time.
            if segments == self.segments(container):
                break
        offset = int(segments[0].name[:SEGMENT_NAME_LENGTH]) if segments else 0
        for file, content in zip(segments, contents, strict=True):
            assert file.name[:SEGMENT_NAME_LENGTH] == f"{offset:0{SEGMENT_NAME_LENGTH}}", f"a gap before {file.name}"
            offset += len(content)
        return b"".join(contents)

    def size(self) -> int:
        """Bytes of all files but the reserve for a full disk."""
        total = 0
        for folder, folders, names in os.walk(self._path):
            folders[:] = [name for name in folders if name != "reserve"]
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # it was removed between looking and asking
                    total += os.stat(os.path.join(folder, name)).st_size
        return total


def _read(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix != ".zst":
        return content
    return zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(content)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder: path and content of each file, None for what is not a regular file.

    But for the counters that tell delivery where to look, which are a hint, of which nothing is left; and for the
    reserve for a full disk.
    """
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not {"grown", "reserve"}.intersection(path.relative_to(folder).parts)
    }
