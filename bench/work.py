"""What containers print: lines of one length, each marked once so that receivers and journals can be counted."""

from dataclasses import dataclass
from pathlib import Path

from bench.receiver import MARKER

_PIECE = 1 << 20
# The engine puts a container's command into what some drivers send: the marker must not stand in it.
_MARK = "m=peavey; l=$m-bench$(printf %0{padding}d 0)"
_REPEATED = _MARK + '; yes "$l" | head -n {lines}'
# For long lines the shell, yes and head would be what takes the time.
_COPIED = _MARK + '; f=$(mktemp); echo "$l" >$f; cat $(yes $f | head -n {lines})'
_LONG = 1 << 12


@dataclass(frozen=True, slots=True)
class Work:
    """So many containers at once, each of which prints so many lines of so many bytes, the newline included."""

    lines: int
    line_bytes: int
    containers: int = 1

    @property
    def total_lines(self) -> int:
        """The lines of all containers."""
        return self.lines * self.containers

    @property
    def script(self) -> str:
        """What each of the containers runs, in a shell of busybox."""
        form = _REPEATED if self.line_bytes < _LONG else _COPIED
        return form.format(padding=self.line_bytes - len(MARKER) - 1, lines=self.lines)


def count_marked(path: Path) -> int:
    """Count the marked lines in a file."""
    count, rest = 0, b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            text = rest + piece
            count += text.count(MARKER)
            rest = text[-(len(MARKER) - 1) :]
    return count
