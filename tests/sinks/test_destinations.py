"""Every sink tells where it sends to, for the log, and nothing that is secret."""

import pytest

from plugin.config.schema import SinkOptions
from plugin.sinks.registry import schema


@pytest.mark.parametrize("declared", schema().sinks, ids=lambda declared: declared.name)
def test_every_sink_tells_where_it_sends_to(declared: type[SinkOptions]) -> None:
    assert declared.destination is not SinkOptions.destination
