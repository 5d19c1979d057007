"""Plots as SVG files: the same figures give the same bytes."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results import Series
from bench.tables import figure

_THOUSANDS = "{x:,g}"
_COLOUR = "#1f6feb"
_OTHER = "#9aa4b2"
_INK = "#24292f"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "peavey",  # ids within the file would else be new ones each time
    "svg.fonttype": "path",  # no font is needed to see it
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _OTHER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def is_peavey(subject: str) -> bool:
    """Return whether a log driver is ours, by the name of the subject."""
    return subject.startswith("peavey")


@dataclass(frozen=True)
class Bars:
    """A bar for each series, as long as its median, with a whisker over its spread.

    `key` names the file, `note` stands below; what is `ours` has a colour of its own.
    """

    key: str
    title: str
    unit: str
    series: tuple[Series, ...]
    ours: Callable[[str], bool] = is_peavey
    note: str = ""


@dataclass(frozen=True)
class Curve:
    """A line of a `Lines` plot: a name, and a series for each place on the x axis."""

    name: str
    points: tuple[tuple[float, Series], ...]


@dataclass(frozen=True)
class Lines:
    """Curves of medians, with a band over their spread; `key` names the file."""

    key: str
    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    logarithmic_x: bool = False


Plot = Bars | Lines


def draw(plot: Plot) -> bytes:
    """Draw a plot; return an SVG file."""
    with mpl.rc_context(_STYLE):
        if isinstance(plot, Bars):
            drawn = Figure(figsize=(7.2, 0.9 + 0.3 * len(plot.series)), layout="constrained")
            _bars(drawn.add_subplot(), plot)
        else:
            drawn = Figure(figsize=(7.2, 3.4), layout="constrained")
            _lines(drawn.add_subplot(), plot)
        target = io.BytesIO()
        drawn.savefig(target, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    # Trailing blanks, which the library leaves, would be marked in every diff.
    return b"\n".join(line.rstrip() for line in target.getvalue().splitlines()) + b"\n"


def _bars(axes: Axes, plot: Bars) -> None:
    places = range(len(plot.series))
    medians = [series.median for series in plot.series]
    colours = [_COLOUR if plot.ours(series.subject) else _OTHER for series in plot.series]
    axes.barh(places, medians, color=colours, height=0.7)
    if any(len(series.values) > 1 for series in plot.series):
        axes.errorbar(medians, places, xerr=_whiskers(plot.series), fmt="none", ecolor=_INK, elinewidth=1, capsize=2)
    for place, series in zip(places, plot.series, strict=True):
        label = (series.largest, place)
        axes.annotate(figure(series.median), label, (6, 0), textcoords="offset points", va="center")
    axes.set_yticks(places, [series.subject for series in plot.series])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(_THOUSANDS)
    axes.set_xlabel("\n".join(filter(None, (plot.unit, plot.note))), loc="left")
    axes.set_title(plot.title, loc="left", fontsize=11, fontweight="bold")


def _lines(axes: Axes, plot: Lines) -> None:
    colours = (_COLOUR, "#d1242f", "#1a7f37", "#8250df", "#bf8700", "#57606a", "#0598bc", "#bf3989")
    for curve, colour in zip(plot.curves, colours * len(plot.curves), strict=False):
        places = [x for x, _ in curve.points]
        series = [measured for _, measured in curve.points]
        axes.plot(places, [s.median for s in series], marker="o", markersize=4, color=colour, label=curve.name)
        axes.fill_between(
            places, [s.smallest for s in series], [s.largest for s in series], color=colour, alpha=0.15, linewidth=0
        )
    if plot.logarithmic_x:
        axes.set_xscale("symlog", linthresh=1)
    axes.set_xticks(sorted({x for curve in plot.curves for x, _ in curve.points}), minor=False)
    axes.xaxis.set_major_formatter(_THOUSANDS)
    axes.yaxis.set_major_formatter(_THOUSANDS)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.set_title(plot.title, loc="left", fontsize=11, fontweight="bold")
    if len(plot.curves) > 1:
        axes.legend(frameon=False)


def _whiskers(series: Sequence[Series]) -> list[list[float]]:
    return [[s.median - s.smallest for s in series], [s.largest - s.median for s in series]]
