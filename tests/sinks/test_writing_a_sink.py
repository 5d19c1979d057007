"""The page that shows how to write a sink shows one that works."""

import asyncio
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from plugin.config.common_options import COMMON_OPTIONS
from plugin.config.options import validate
from plugin.config.schema import Schema
from plugin.docker.info import Info
from plugin.sinks.base import Origin, Record, RejectError, RetryError, Sink

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-sink.md"


@pytest.fixture
def sink_class(monkeypatch: pytest.MonkeyPatch) -> type[Sink[Any]]:
    options, sink = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for name, code in (("plugin.sinks.lines", ""), ("plugin.sinks.lines.options", options)):
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, str(PAGE), "exec"), module.__dict__)  # noqa: S102
    module = types.ModuleType("shown")
    exec(compile(sink, str(PAGE), "exec"), module.__dict__)  # noqa: S102
    shown: type[Sink[Any]] = module.SINK
    return shown


def make(sink_class: type[Sink[Any]], port: int) -> Sink[Any]:
    schema = Schema(COMMON_OPTIONS, [sink_class.declaration])
    options = validate({"lines-host": "127.0.0.1", "lines-port": str(port)}, {}, schema)
    return sink_class(options.sinks[0].options)


def test_it_delivers(sink_class: type[Sink[Any]]) -> None:
    received = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read())
        writer.write(b"OK\n" if len(received) > 1 else b"NO\n")
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            sink = make(sink_class, server.sockets[0].getsockname()[1])
            info = Info(container_id="aa", container_name="/web")
            prepared = sink.prepare(Origin(info=info, host="h", tag="", attributes={}, birth=1))
            payload = sink.encode([Record(prepared, "stdout", 1, b"one"), Record(prepared, "stdout", 2, b"two")])
            with pytest.raises(RetryError, match="NO"):
                await sink.send(payload)
            await sink.send(payload)

    asyncio.run(run())
    assert received == [b"web one\nweb two\n"] * 2


def test_it_says_what_it_cannot_take(sink_class: type[Sink[Any]]) -> None:
    with pytest.raises(RejectError):
        make(sink_class, 1).encode([Record(b"", "stdout", 1, b"a\nb")])
