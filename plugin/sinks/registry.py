"""Finds the sinks: every package in here whose module ``sink`` names a class ``SINK``."""

import importlib
import pkgutil
from functools import cache
from typing import Any

from plugin import sinks
from plugin.config.common_options import COMMON_OPTIONS
from plugin.config.schema import Schema
from plugin.sinks.base import Sink

_SHARED = {"transport", "encoding"}


@cache
def known_sinks() -> dict[str, type[Sink[Any]]]:
    """Return the sinks by name, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(sinks.__path__):
        if module.ispkg and module.name not in _SHARED:
            sink: type[Sink[Any]] = importlib.import_module(f"{sinks.__name__}.{module.name}.sink").SINK
            found[sink.declaration.name] = sink
    return dict(sorted(found.items()))


@cache
def schema() -> Schema:
    """Return the schema of all log-opts: the common ones and those of every sink."""
    return Schema(COMMON_OPTIONS, [sink.declaration for sink in known_sinks().values()])
