"""Tables of figures, for the terminal and for a page."""

import math
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table as RichTable

from bench.results import Series, ratio

NOTHING = "–"
_SIGNIFICANT = 3


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names the row, the others are figures. `key` names it within its benchmark."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def figure(value: float) -> str:
    """Write a number with three significant digits, and thousands apart: 0.0123, 4.56, 1,230,000."""
    if value == 0:
        return "0"
    digits = _SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def spread(series: Series | None) -> str:
    """Write the median, and behind it the least and the greatest value where there are several."""
    if series is None:
        return NOTHING
    if len(series.values) == 1:
        return figure(series.median)
    return f"{figure(series.median)} ({figure(series.smallest)}–{figure(series.largest)})"


def beside(series: Series, other: Series) -> str:
    """Write what a series is divided by another, as `spread` does; 1 for the other itself."""
    return "1" if series.subject == other.subject else spread(ratio(series, other))


def middle(series: Series | None) -> str:
    """Write the median alone."""
    return NOTHING if series is None else figure(series.median)


def megabytes(series: Series | None) -> str:
    """Write a median of bytes as whole megabytes."""
    return NOTHING if series is None else f"{series.median / 1e6:,.0f}"


def to_markdown(table: Table) -> str:
    """Write it for a page, its title above it."""
    head = _row(table.columns)
    rule = _row(["---", *["---:"] * (len(table.columns) - 1)])
    return "\n".join([f"**{table.title}**", "", head, rule, *map(_row, table.rows)]) + "\n"


def show(table: Table, console: Console) -> None:
    """Print it on the terminal."""
    shown = RichTable(title=table.title, title_justify="left")
    for index, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if index else "left", no_wrap=not index)
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
