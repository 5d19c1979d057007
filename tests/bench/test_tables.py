"""Figures and tables, as people read them."""

import io

import pytest
from rich.console import Console

from bench.goals import Goal, goals_table
from bench.results import Series
from bench.tables import NOTHING, Table, beside, figure, megabytes, middle, show, spread, to_markdown

TABLE = Table("times", "Times", ("driver", "s"), (("local", "2.5"), ("peavey", "2.25")))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.012345, "0.0123"),
        (4.5678, "4.57"),
        (45.678, "45.7"),
        (456.78, "457"),
        (1_234_567, "1,230,000"),
        (-2.5, "-2.50"),
    ],
)
def test_figures_have_three_significant_digits(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_spread_is_shown_where_there_were_several_rounds() -> None:
    assert spread(Series("local", "wall", "s", (2.0, 1.0, 4.0))) == "2.00 (1.00–4.00)"
    assert spread(Series("local", "wall", "s", (2.0,))) == "2.00"
    assert middle(Series("local", "wall", "s", (2.0, 1.0, 4.0))) == "2.00"


def test_what_was_not_measured_is_a_dash() -> None:
    assert spread(None) == middle(None) == megabytes(None) == NOTHING


def test_memory_is_in_megabytes() -> None:
    assert megabytes(Series("local", "memory", "bytes", (1_234_567_890.0,))) == "1,235"


def test_a_subject_beside_itself_is_one() -> None:
    local, peavey = Series("local", "wall", "s", (2.0, 4.0)), Series("peavey", "wall", "s", (1.0, 3.0))
    assert beside(local, local) == "1"
    assert beside(peavey, local) == "0.625 (0.500–0.750)"


def test_goals_are_reached_up_to_their_bound_and_missed_beyond() -> None:
    goals = [Goal(str(value), Series("peavey", "wall", "s", (value,)), 1.5) for value in (1.5, 1.6)]
    assert goals_table(goals).rows == (
        ("1.5", "≤ 1.50 s", "1.50 s", "reached"),
        ("1.6", "≤ 1.50 s", "1.60 s", "**missed**"),
    )


def test_markdown() -> None:
    assert to_markdown(TABLE) == ("**Times**\n\n| driver | s |\n| --- | ---: |\n| local | 2.5 |\n| peavey | 2.25 |\n")


def test_the_terminal_shows_all_cells() -> None:
    target = io.StringIO()
    show(TABLE, Console(file=target))
    assert all(text in target.getvalue() for text in ("Times", "driver", "local", "2.5", "peavey", "2.25"))
