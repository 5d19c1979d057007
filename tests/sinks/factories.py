"""Sinks, origins and records for the tests of sinks."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugin.config.options import validate
from plugin.docker.info import Info
from plugin.sinks.base import Origin, Record, Sink
from plugin.sinks.registry import make_sink, schema

TIME = 1_700_000_000_123_456_789
"""2023-11-14T22:13:20.123456789Z."""

INFO = Info(
    container_id="8c1f" * 16,
    container_name="/web",
    container_entrypoint="nginx",
    container_args=["-g", "daemon off;"],
    container_image_id="sha256:" + "5e" * 32,
    container_image_name="nginx:1.27",
    container_created="2023-11-14T22:00:00.5Z",
    daemon_name="docker",
)

NOISE = "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(120_000))
"""Text that hardly compresses."""


def sink_of(**options: str) -> Sink[Any]:
    """Make the sink that these log-opts choose, ``_`` standing for ``-``; raises ``OptionError`` with their faults."""
    (choice,) = validate({name.replace("_", "-"): text for name, text in options.items()}, schema=schema()).sinks
    return make_sink(choice)


def origin_of(info: Info = INFO, tag: str = "8c1f8c1f8c1f", attributes: Mapping[str, str] | None = None) -> Origin:
    """Make a container on the host ``node1``."""
    return Origin(info=info, host="node1", tag=tag, attributes=attributes or {}, birth=TIME)


def records_of(
    sink: Sink[Any], lines: Sequence[bytes], origin: Origin | None = None, source: str = "stdout", time: int = TIME
) -> list[Record]:
    """Make records of one container, each a microsecond after the one before."""
    prepared = sink.prepare(origin or origin_of())
    return [Record(prepared, source, time + 1000 * number, line, 100 * number) for number, line in enumerate(lines)]
