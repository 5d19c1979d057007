"""Peavey, a Docker log driver: it keeps each container's log in a journal on disk and reads it back."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("peavey")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
