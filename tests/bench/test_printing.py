"""How the figures of printing containers are put together."""

import pytest

from bench.printing import PRINTING, WORKS, cost_table, describe, goals, line_table, times_table, together
from bench.results import Result, Series
from bench.rig import CEILING, JOURNAL, JSON_FILE, LOCAL, TO_HTTP, TO_LOKI
from bench.tables import NOTHING
from bench.work import Work
from tests.bench.test_results import MACHINE

WORK = Work(1000, 100)


def measured(subject: str, wall: float, engine: float, plugin: float = 0, delivery: float = 0) -> list[Series]:
    """Two rounds, the second of which took twice as much of everything."""

    def series(metric: str, unit: str, value: float) -> Series:
        return Series(subject, f"short/{metric}", unit, (value, 2 * value))

    found = [series("wall", "s", wall), series("engine CPU", "s", engine), series("engine memory", "bytes", 100e6)]
    if plugin:
        found += [series("plugin CPU", "s", plugin), series("plugin memory", "bytes", 40e6)]
    if delivery:
        found += [
            series("delivery CPU", "s", delivery),
            series("delivered", "s", 2 * wall),
            series("receiver CPU", "s", 0.2),
        ]
    return found


@pytest.fixture
def result() -> Result:
    return Result(
        *("printing", "Printing", False, MACHINE),
        series=(
            *measured(JSON_FILE, 4.0, 2.0),
            *measured(LOCAL, 2.0, 1.0),
            *measured(CEILING, 1.0, 1.5, plugin=0.1),
            *measured(JOURNAL, 2.0, 1.5, plugin=0.1),
            *measured(TO_HTTP, 2.5, 1.5, plugin=0.1, delivery=0.5),
            *measured(TO_LOKI, 2.5, 1.5, plugin=0.1, delivery=0.25),
        ),
    )


def test_times_are_beside_json_file_and_the_ceiling(result: Result) -> None:
    rows = {row[0]: row[1:] for row in times_table(result, "short", WORK).rows}
    assert rows[JSON_FILE] == ("6.00 (4.00–8.00)", "188", "1", "4.00 (4.00–4.00)", NOTHING)
    assert rows[TO_HTTP] == ("3.75 (2.50–5.00)", "300", "0.625 (0.625–0.625)", "2.50 (2.50–2.50)", "7.50")


def test_costs_are_those_of_each_process_and_of_all(result: Result) -> None:
    rows = {row[0]: row[1:] for row in cost_table(result, "short", WORK).rows}
    assert rows[JSON_FILE] == ("3.00", NOTHING, NOTHING, "3.00", NOTHING, "150", NOTHING, NOTHING)
    assert rows[TO_HTTP] == ("2.25", "0.150", "0.750", "3.15", "0.300", "150", "60", NOTHING)


def test_the_time_of_a_line_is_in_nanoseconds(result: Result) -> None:
    assert ("Peavey's delivery, by HTTP", "750,000 (500,000–1,000,000)") in line_table(result, WORK).rows


def test_nothing_comes_to_nothing() -> None:
    assert together([None, None]) == NOTHING


def test_goals(result: Result) -> None:
    assert [(goal.measured.median, goal.is_met) for goal in goals(result)] == [
        (0.5, True),  # of json-file
        (1.0, True),  # of local
        (1.25, False),  # delivering, of the journal alone
        (0.05, True),  # intake's CPU, of the wall time
    ]


def test_every_table_and_plot_is_named_once() -> None:
    everything = [
        Series(subject, f"{key}/{metric}", unit, (1.0,))
        for key in WORKS
        for subject in (JSON_FILE, LOCAL, CEILING, JOURNAL, TO_HTTP, TO_LOKI)
        for metric, unit in (("wall", "s"), ("engine CPU", "s"), ("plugin CPU", "s"), ("delivery CPU", "s"))
    ]
    result = Result("printing", "Printing", False, MACHINE, tuple(everything))
    for made in (PRINTING.tables(result), PRINTING.plots(result)):
        keys = [shown.key for shown in made]
        assert len(set(keys)) == len(keys) > 0


@pytest.mark.parametrize(
    ("work", "text"),
    [
        (Work(1_000_000, 100), "One container prints 1,000,000 lines of 100 bytes"),
        (Work(50, 1 << 14, containers=20), "20 containers at once print 50 lines of 16 KiB"),
        (Work(5, 1 << 20), "One container prints 5 lines of 1 MiB"),
    ],
)
def test_the_work_is_described(work: Work, text: str) -> None:
    assert describe(work) == text
