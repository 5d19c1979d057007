"""Lines put through stages, as a journal and a pipeline would."""

import math
from collections.abc import Iterable, Mapping, Sequence

from plugin.config.options import SinkChoice, validate
from plugin.config.transform_options import TransformOptions
from plugin.docker.info import Info
from plugin.records.position import Position
from plugin.records.record import Record
from plugin.sinks.registry import schema
from plugin.transforms.base import Transform
from plugin.transforms.chain import make_stages
from plugin.transforms.pipeline import Pipeline

FRAME = 10
"""How many bytes of journal a line takes here."""

SECOND = 1_000_000_000
START = 1_770_000_000 * SECOND

HTTP = {"sink": "http", "http-url": "http://localhost"}

INFO = Info(container_id="3fa2" * 16, container_name="/web")


def record(line: str | bytes, number: int = 0, source: str = "stdout", time_nano: int = 0) -> Record:
    """Make the record of the line with this number, each a millisecond after the one before unless a time is given."""
    line = line.encode() if isinstance(line, str) else line
    time_nano = time_nano or START + number * 1_000_000
    offset = number * FRAME
    return Record(None, source, time_nano, line, offset, offset + FRAME, offset + FRAME)


def records(lines: Iterable[str | bytes], source: str = "stdout") -> list[Record]:
    """Make the records of consecutive lines."""
    return [record(line, number, source) for number, line in enumerate(lines)]


def choice_of(given: Mapping[str, str]) -> SinkChoice:
    """Read log-opts as a container's, for one sink: loki where they are for that, else http."""
    url = {"loki-url": "http://localhost"} if any(name.startswith("loki-") for name in given) else HTTP
    (choice,) = validate({**url, **given}, None, schema()).sinks
    return choice


def options(given: Mapping[str, str]) -> TransformOptions:
    """Read log-opts as a container's, for one sink."""
    return choice_of(given).transforms


def stages(given: Mapping[str, str], info: Info = INFO) -> Sequence[Transform]:
    """Make the stages that log-opts ask for."""
    choice = choice_of(given)
    return make_stages(choice.transforms, info, choice.options.read_stages())


def shaped(given: Mapping[str, str], fed: Iterable[Record], *, ended: bool = True) -> list[Record]:
    """Put records through the stages that log-opts ask for."""
    pipeline = Pipeline(stages(given), Position(0, 0))
    made = pipeline.feed(list(fed))
    return made + pipeline.flush(math.inf) if ended else made


def one(given: Mapping[str, str], line: str | bytes, source: str = "stdout") -> Record:
    """Put one line through the stages, which must not drop it."""
    (made,) = shaped(given, [record(line, source=source)])
    return made


def lines_of(made: Iterable[Record]) -> list[str]:
    """Return the lines of records as texts."""
    return [each.line.decode() for each in made]
