"""The benchmarks of Peavey: ``python -m bench``, or ``make bench``, which measures the compiled package."""
