"""Micro-benchmarks, for pytest-benchmark: what one step of a line's way costs. ``bench.budget`` runs them."""
