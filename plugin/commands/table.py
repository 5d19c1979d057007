"""Tables of plain text: columns stand two spaces apart, and give way where the terminal is narrow."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

_APART = "  "
_HEAD = "bold underline"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, its alignment, and whether it may be cut, to ``least`` characters, for want of room."""

    heading: str
    right: bool = False
    flexible: bool = False
    least: int = 8


def table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int | None) -> list[Text]:
    """Return the lines of a table, its headings first.

    Where ``width`` (characters) is not enough for all, flexible columns are cut, the widest first; without one, as for
    a pipe, nothing is.
    """
    widths = [
        max([cell_len(column.heading), *(cell_len(row[number].plain) for row in rows)])
        for number, column in enumerate(columns)
    ]
    if width is not None:
        _fit(columns, widths, width - len(_APART) * (len(columns) - 1))
    headings = [Text(column.heading, _HEAD) for column in columns]
    return [_line(columns, widths, row) for row in (headings, *rows)]


def _fit(columns: Sequence[Column], widths: list[int], room: int) -> None:
    while sum(widths) > room:
        loose = [number for number, column in enumerate(columns) if column.flexible and widths[number] > column.least]
        if not loose:
            return
        widest = max(loose, key=widths.__getitem__)
        widths[widest] -= 1


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[Text]) -> Text:
    line = Text()
    for number, (column, cell) in enumerate(zip(columns, row, strict=True)):
        shown = cell.copy()
        shown.truncate(widths[number], overflow="ellipsis" if column.flexible else "ignore")
        blank = " " * (widths[number] - cell_len(shown.plain))
        line.append(_APART if number else "")
        line = line.append_text(Text(blank) + shown if column.right else shown + Text(blank))
    line.rstrip()
    return line
