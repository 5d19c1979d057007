"""How fast each sink takes what waits in the journal, and what that costs; alone, and from many containers at once."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmark import Benchmark, Run
from bench.delivering import SINKS, DeliveryError, Start, deliver, measure_start
from bench.journals import PreparedJournal, write_journals
from bench.plots import Bars, Plot
from bench.receiver import LinesMissingError
from bench.results import Result, Series, rotated
from bench.tables import NOTHING, Table, figure, megabytes, middle, spread

MILLION = 1_000_000
SHARED_SINKS = ("loki", "http")
SHARES = (1, 100, 1000)
_QUICK_SHARES = (1, 100)
LOKI_DRIVER = Series("Grafana's Loki driver¹", "cpu", "s", (8.0,))
"""CPU for a million lines of 100 bytes to a Loki on the same host, with ``no-file=true``: 7.9 to 8.1 s, on 2 cores of
another machine, which also took the lines in. Absolute times hold only for that machine."""
_NOTE = "¹ measured elsewhere, taking the lines in included:\nonly an order of magnitude here"


def subject(sink: str, containers: int) -> str:
    """Name a delivery from so many containers."""
    return f"{sink}, {containers:,} container{'s' if containers > 1 else ''}"


def measure(run: Run) -> None:
    """Deliver the same lines to every sink in turn, then those of more and more containers to two of them."""
    lines, rounds, shares = (50_000, 1, _QUICK_SHARES) if run.quick else (MILLION, 3, SHARES)
    with TemporaryDirectory(prefix="peavey-bench-") as name:
        folder = Path(name)
        journals = write_journals(folder / "one", 1, lines)
        starts = {sink: measure_start(sink, journals[0], folder, rounds) for sink in SINKS}
        for number, sink in rotated(SINKS, rounds):
            run.say(f"{sink}: {lines:,} lines, round {number + 1} of {rounds}")
            _measure_one(run, sink, sink, journals, lines, starts[sink], folder / "work")
        for containers in shares:
            journals = write_journals(folder / str(containers), containers, lines)
            for number, sink in rotated(SHARED_SINKS, rounds):
                run.say(f"{subject(sink, containers)}: {lines:,} lines, round {number + 1} of {rounds}")
                _measure_one(run, subject(sink, containers), sink, journals, lines, starts[sink], folder / "work")


def _measure_one(
    run: Run, name: str, sink: str, journals: Sequence[PreparedJournal], lines: int, start: Start, work: Path
) -> None:
    try:
        delivered = deliver(sink, journals, lines, start, work)
    except (DeliveryError, LinesMissingError) as error:
        run.recorder.fault(f"{name}: {error}")
        return
    per_million = MILLION / lines
    run.recorder.add(name, "rate", "lines/s", lines / delivered.seconds)
    run.recorder.add(name, "cpu", "s", delivered.cpu * per_million)
    run.recorder.add(name, "receiver cpu", "s", delivered.receiver_cpu * per_million)
    run.recorder.add(name, "requests", "", delivered.requests * per_million)
    run.recorder.add(name, "sent", "bytes", delivered.sent / lines)
    run.recorder.add(name, "peak", "bytes", delivered.peak)


def tables(result: Result) -> Sequence[Table]:
    """Show the sinks side by side, and what the number of containers changes."""
    return (
        Table(
            "sinks",
            "Delivery of lines of 100 bytes that wait in the journal, to a receiver that only counts, on this host",
            ("sink", "lines/s", "CPU s per 1,000,000 lines", "receiver's CPU s", "bytes sent per line", "peak MB"),
            (
                *(
                    (
                        sink,
                        spread(result.find(sink, "rate")),
                        spread(result.find(sink, "cpu")),
                        middle(result.find(sink, "receiver cpu")),
                        middle(result.find(sink, "sent")),
                        megabytes(result.find(sink, "peak")),
                    )
                    for sink in SINKS
                    if result.find(sink, "rate")
                ),
                (LOKI_DRIVER.subject, NOTHING, figure(LOKI_DRIVER.median), NOTHING, NOTHING, NOTHING),
            ),
        ),
        Table(
            "containers",
            "Delivery of the same number of lines from more and more containers",
            ("sink, containers", "lines/s", "CPU s per 1,000,000 lines", "requests per 1,000,000 lines", "peak MB"),
            tuple(
                (
                    subject(sink, containers),
                    spread(result.find(subject(sink, containers), "rate")),
                    spread(result.find(subject(sink, containers), "cpu")),
                    middle(result.find(subject(sink, containers), "requests")),
                    megabytes(result.find(subject(sink, containers), "peak")),
                )
                for sink in SHARED_SINKS
                for containers in SHARES
                if result.find(subject(sink, containers), "rate")
            ),
        ),
    )


def plots(result: Result) -> Sequence[Plot]:
    """Draw rate and cost of the sinks."""
    rates = [series for sink in SINKS if (series := result.find(sink, "rate"))]
    costs = [series for sink in SINKS if (series := result.find(sink, "cpu"))]
    return (
        Bars("rate", "Delivery to a receiver on the same host", "lines/s", tuple(rates), ours=_is_ours),
        Bars("cpu", "CPU for the delivery of 1,000,000 lines", "s", (*costs, LOKI_DRIVER), ours=_is_ours, note=_NOTE),
    )


def _is_ours(subject: str) -> bool:
    return subject != LOKI_DRIVER.subject


DELIVERY = Benchmark(
    name="delivery",
    title="Delivery to each sink",
    measure=measure,
    tables=tables,
    plots=plots,
)
