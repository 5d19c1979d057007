"""The list of benchmarks, in the order in which they run."""

from bench.benchmark import Benchmark
from bench.budget import BUDGET
from bench.delivery import DELIVERY
from bench.latency import LATENCY
from bench.printing import PRINTING
from bench.reading import READING
from bench.rerouting import REROUTING
from bench.stopped import STOPPED
from bench.streams import STREAMS

BENCHMARKS: tuple[Benchmark, ...] = (PRINTING, READING, DELIVERY, STREAMS, STOPPED, REROUTING, LATENCY, BUDGET)
