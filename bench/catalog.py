"""The list of benchmarks, in the order in which they run."""

from bench.benchmark import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = ()
