"""Finds the sinks: every module of this package that names a class ``SINK``."""

import importlib
import pkgutil
from functools import cache
from typing import Any

from plugin import sinks
from plugin.engine.common_options import COMMON_OPTIONS
from plugin.engine.option_schema import Schema
from plugin.sinks.base import Sink


@cache
def known_sinks() -> dict[str, type[Sink[Any]]]:
    """Give the sinks by name, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(sinks.__path__):
        sink: type[Sink[Any]] | None = getattr(importlib.import_module(f"{sinks.__name__}.{module.name}"), "SINK", None)
        if sink is not None:
            found[sink.declaration.name] = sink
    return dict(sorted(found.items()))


@cache
def schema() -> Schema:
    """Give the schema of all log-opts: the common ones and those of every sink."""
    return Schema(COMMON_OPTIONS, [sink.declaration for sink in known_sinks().values()])
