"""Deliveries that are measured: each sink's options are accepted, and its lines counted."""

from pathlib import Path

import pytest

from bench.delivering import SINKS, Start, deliver, instance_of, log_options
from bench.journals import write_journals
from plugin.config.options import validate
from plugin.sinks.registry import schema


@pytest.mark.parametrize("sink", SINKS)
def test_the_options_lead_to_this_sink_alone(sink: str, tmp_path: Path) -> None:
    (choice,) = validate(log_options(sink, 1234, tmp_path), schema=schema()).sinks
    assert choice.sink == instance_of(sink)
    assert not choice.faults


@pytest.mark.parametrize("sink", [sink for sink in SINKS if sink not in ("gelf", "splunk", "http", "clickhouse")])
def test_all_lines_are_delivered_and_counted(sink: str, tmp_path: Path) -> None:
    journals = write_journals(tmp_path / "journals", 2, 1_000)
    delivered = deliver(sink, journals, 1_000, Start(0, 0), tmp_path / "work")
    assert delivered.lines == 1_000
    assert delivered.sent > 10_000
    assert delivered.cpu > 0
    assert not (tmp_path / "work").exists()
