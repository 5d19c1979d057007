"""What all receivers speak, found by itself in `tests/sinks/<name>/receiver.py`.

``PROTOCOL``
    the `Protocol` of a `Receiver`
``options_for``
    the log-opts for such a receiver at an address, where it can be a process of its own
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from tests.sinks.receiving.receiver import Protocol

_SINKS = Path(__file__).parents[1]


def _modules() -> Iterator[tuple[str, ModuleType]]:
    for file in sorted(_SINKS.glob("*/receiver.py")):
        name = file.parent.name
        yield name, importlib.import_module(f"tests.sinks.{name}.receiver")


PROTOCOLS: dict[str, Protocol] = {name: module.PROTOCOL for name, module in _modules() if hasattr(module, "PROTOCOL")}
"""By the names of the sinks' folders."""


def options_for(protocol: str, address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port, which wait long for the answers of a busy machine."""
    options: dict[str, str] = importlib.import_module(f"tests.sinks.{protocol}.receiver").options_for(address)
    return options
