"""Pipeline stages run over lines, as tests want to see what they make."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from plugin.config.pipeline_stages import parse_stages
from plugin.records.record import Record
from plugin.sinks.loki.container_streams import ContainerStreams
from plugin.transforms.base import Transform
from plugin.transforms.pipeline_stages.compiler import compile_stages, make_pipeline
from plugin.transforms.pipeline_stages.entry import Entry
from tests.sinks.factories import TIME

LARGEST = 256 * 1024


class Sent(NamedTuple):
    """What is sent of a record."""

    line: str
    labels: dict[str, str]
    metadata: dict[str, Any] | None
    tenant: str
    time: int


def streams(labels: Mapping[str, str]) -> ContainerStreams:
    return ContainerStreams(dict.fromkeys(("stdout", "stderr"), labels), b"\x1a\x00", 15)


def records(lines: Sequence[bytes | str], labels: Mapping[str, str], time: int = TIME) -> list[Record]:
    made, offset = [], 0
    prepared = streams(labels)
    for line in lines:
        content = line if isinstance(line, bytes) else line.encode()
        end = offset + len(content) + 1
        made.append(Record(prepared, "stdout", time, content, offset, end, end))
        offset = end
    return made


def through(transforms: Sequence[Transform], given: Sequence[Record]) -> list[Record]:
    made = list(given)
    for stage in transforms:
        made = [each for record in made for each in stage.feed(record)] + list(stage.flush(math.inf))
    return made


def sent_of(record: Record) -> Sent:
    prepared = record.prepared
    tenant = prepared.change[1] if prepared.change else ""
    return Sent(
        record.line.decode(errors="replace"),
        dict(prepared.labels_of("stdout")),
        record.fields,
        tenant,
        record.time_nano,
    )


def run(text: str, *lines: bytes | str, labels: Mapping[str, str] | None = None, time: int = TIME) -> list[Sent]:
    """Run stages over lines, and return what is sent."""
    transforms = make_pipeline(parse_stages(text).stages, (), LARGEST)
    return [sent_of(record) for record in through(transforms, records(lines, labels or {}, time))]


def extracted(text: str, line: bytes | str, **values: Any) -> dict[str, Any]:
    """Run stages over a line, and return what is extracted in the end; ``values`` are from the beginning on."""
    (record,) = records([line], {})
    entry = record.prepared = Entry(record)
    entry.extracted.update(values)
    through(compile_stages(parse_stages(text).stages, (), LARGEST), [record])
    return entry.extracted
