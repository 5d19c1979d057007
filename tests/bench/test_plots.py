"""Plots: the same figures give the same file, and everything that was measured is in it."""

import xml.etree.ElementTree as ET

import pytest

from bench.plots import Bars, Curve, Lines, Plot, draw
from bench.results import Series

BARS = Bars(
    "short",
    "One container",
    "seconds",
    (Series("json-file", "wall", "s", (3.0, 4.0)), Series("peavey", "wall", "s", (2.0,))),
)
LINES = Lines(
    "idle",
    "Idle containers",
    "containers",
    "CPU, %",
    (Curve("peavey", tuple((count, Series("peavey", "cpu", "%", (0.1, 0.2))) for count in (0, 100, 1000))),),
    logarithmic_x=True,
)


@pytest.mark.parametrize("plot", [BARS, LINES])
def test_the_same_figures_give_the_same_file(plot: Plot) -> None:
    drawn = draw(plot)
    assert drawn == draw(plot)
    assert ET.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - we wrote it
    assert b"<dc:date>" not in drawn


def test_other_figures_give_another_file() -> None:
    other = Bars("short", "One container", "seconds", (Series("peavey", "wall", "s", (2.5,)),))
    assert draw(BARS) != draw(other)


def test_ours_has_a_colour_of_its_own() -> None:
    drawn = draw(BARS)
    assert drawn.count(b"fill: #1f6feb") == 1
    assert drawn.count(b"fill: #9aa4b2") == 1


def test_what_is_ours_can_be_told_otherwise() -> None:
    sinks = Bars("cpu", "CPU", "s", (Series("loki", "cpu", "s", (2.5,)),), ours=lambda _: True, note="A note.")
    assert draw(sinks).count(b"fill: #1f6feb") == 1
