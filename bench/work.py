"""What containers print: lines of one length, each marked once so that receivers and journals can be counted."""

from dataclasses import dataclass
from pathlib import Path

from bench.receiver import MARKER

_PIECE = 1 << 20
# The engine puts a container's command into what some drivers send: the marker must not stand in it.
_MARK = "m=peavey; l=$m-bench$(printf %0{padding}d 0)"
_FROM_A_PROGRAM = _MARK + '; yes "$l" | head -n {lines}'
# An argument of a program may have 128 KiB at most, one of the shell's own commands any length.
_FROM_THE_SHELL = _MARK + '; n={lines}; while [ $n -gt 0 ]; do echo "$l"; n=$((n - 1)); done'
_LONGEST_ARGUMENT = 1 << 17


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
        form = _FROM_A_PROGRAM if self.line_bytes < _LONGEST_ARGUMENT else _FROM_THE_SHELL
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
