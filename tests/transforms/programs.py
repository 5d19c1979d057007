"""What programs printed when they were run: the files in ``data``, and how these are read."""

from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class Program:
    """What a program printed (see ``data/README.md``): log-opts, and the events that these make of the lines."""

    name: str
    given: dict[str, str]
    events: list[str]

    @property
    def printed(self) -> list[str]:
        """All lines, without their newlines."""
        return "\n".join(self.events).split("\n")


def read(path: Path) -> Program:
    """Read a file of what a program printed: two lines of comment, the second with a log-opt, events parted by %%."""
    head, *events = path.read_text().removesuffix("\n").split("\n%%\n")
    name, value = head.split("\n# ")[1].split("=", maxsplit=1)
    return Program(path.stem, {name: value}, events)


PROGRAMS = [read(path) for path in sorted(DATA.glob("*.txt"))]


def program(name: str) -> Program:
    """Find a program by its file's name without the ending."""
    return next(one for one in PROGRAMS if one.name == name)
