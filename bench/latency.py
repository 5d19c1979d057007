"""How long a line takes from the container's print to ``docker logs -f``, and to a destination."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.arriving import NotArrivedError, followed, received_by_http
from bench.benchmark import Benchmark, Run
from bench.percentiles import percentile
from bench.plots import Bars, Plot
from bench.results import Result, rotated
from bench.rig import JOURNAL, JSON_FILE, LOCAL, Rig, readable_drivers
from bench.tables import Table, spread
from bench.ticking import ticking_container

_WITHIN = 20.0
_UNTIL_FOLLOWED = 1.0
_UNTIL_DELIVERED = 3.0
"""Seconds until a follower is there, and until delivery has been started and knows a new container: not measured."""
_MILLISECONDS = 1000.0
_PERCENTILES = (("median", 50.0), ("p99", 99.0), ("max", 100.0))


@dataclass(frozen=True)
class Way:
    """A way that lines take: with a driver to ``docker logs -f``, or by its sink ``http`` where there are options."""

    name: str
    driver: str
    http_options: Mapping[str, str] = field(default_factory=dict)


WAYS = (
    Way("json-file: docker logs -f", JSON_FILE),
    Way("local: docker logs -f", LOCAL),
    Way("peavey: docker logs -f", JOURNAL),
    Way("peavey: HTTP, batch-wait=10ms", JOURNAL, {"batch-wait": "10ms"}),
    Way("peavey: HTTP, batch-wait=1s (default)", JOURNAL, {"batch-wait": "1s"}),
)


def measure(run: Run) -> None:
    """Have a container print by each way in turn, round after round."""
    lines, rounds, pause = (50, 1, 0.02) if run.quick else (300, 3, 0.02)
    with readable_drivers() as rig:
        for number, way in rotated(WAYS, rounds):
            run.say(f"{way.name}: {lines:,} lines, round {number + 1} of {rounds}")
            try:
                latencies = _latencies(rig, way, lines, pause)
            except NotArrivedError as error:
                run.recorder.fault(f"{way.name}: {error}")
                continue
            for name, percent in _PERCENTILES:
                run.recorder.add(way.name, name, "ms", percentile(latencies, percent) * _MILLISECONDS)


def _latencies(rig: Rig, way: Way, lines: int, pause: float) -> list[float]:
    subject = next(subject for subject in rig.subjects if subject.name == way.driver)
    containers = rig.containers(subject)
    with ExitStack() as stack:
        stack.callback(containers.remove_all)
        if way.http_options:
            port, arrivals = stack.enter_context(received_by_http())
            options = {"http-url": f"http://127.0.0.1:{port}/", **way.http_options}
            ticking_container(containers, options, lines=lines, pause=pause, wait=_UNTIL_DELIVERED)
        else:
            container = ticking_container(containers, {}, lines=lines, pause=pause, wait=_UNTIL_FOLLOWED)
            arrivals = stack.enter_context(followed(container.follow()))
        return arrivals.wait_for(lines, _WITHIN + lines * pause)


def tables(result: Result) -> Sequence[Table]:
    """Show the distributions."""
    return (
        Table(
            "ways",
            "From a container's print to the line's arrival, 50 lines a second: milliseconds",
            ("way", *(name for name, _ in _PERCENTILES)),
            tuple((way.name, *(spread(result.find(way.name, name)) for name, _ in _PERCENTILES)) for way in WAYS),
        ),
    )


def plots(result: Result) -> Sequence[Plot]:
    """Draw the ways to ``docker logs -f``."""
    followed = [way for way in WAYS if not way.http_options]
    series = [series for way in followed if (series := result.find(way.name, "median"))]
    return (Bars("follow", "From a container's print to docker logs -f, median", "ms", tuple(series)),)


LATENCY = Benchmark(
    name="latency",
    title="From print to arrival",
    measure=measure,
    tables=tables,
    plots=plots,
    needs_engine=True,
)
