"""Finds the sinks: every package in here whose module ``options`` names a class ``OPTIONS``."""

import importlib
import pkgutil
from functools import cache
from typing import Any

from plugin import sinks
from plugin.config.common_options import COMMON_OPTIONS
from plugin.config.options import SinkChoice
from plugin.config.schema import Schema, SinkOptions
from plugin.sinks.base import Sink

_SHARED = {"transport", "encoding"}


@cache
def schema() -> Schema:
    """Return the schema of all log-opts: the common ones and those of every sink, in alphabetical order."""
    found = {declared.name: declared for declared in map(_load_options, _packages())}
    return Schema(COMMON_OPTIONS, [found[name] for name in sorted(found)])


@cache
def load_sink(name: str) -> type[Sink[Any]]:
    """Return the class of a sink, imported with all that it needs; raises `KeyError` for a name that is unknown."""
    for package in _packages():
        if _load_options(package).name == name:
            sink: type[Sink[Any]] = importlib.import_module(f"{package}.sink").SINK
            return sink
    raise KeyError(name)


def make_sink(choice: SinkChoice) -> Sink[Any]:
    """Make the sink that was chosen, which must be known and have no faults.

    Raises `MisconfiguredError` for what cannot work, such as a certificate file that is not there.
    """
    return load_sink(choice.sink)(choice.options)


@cache
def _packages() -> tuple[str, ...]:
    return tuple(
        f"{sinks.__name__}.{module.name}"
        for module in pkgutil.iter_modules(sinks.__path__)
        if module.ispkg and module.name not in _SHARED
    )


def _load_options(package: str) -> type[SinkOptions]:
    declared: type[SinkOptions] = importlib.import_module(f"{package}.options").OPTIONS
    return declared
