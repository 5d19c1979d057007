"""The list of benchmarks, in the order in which they run."""

from bench.benchmark import Benchmark
from bench.printing import PRINTING
from bench.reading import READING

BENCHMARKS: tuple[Benchmark, ...] = (PRINTING, READING)
