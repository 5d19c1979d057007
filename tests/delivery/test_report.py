"""What delivery tells of a destination that has taken all there is, and lost some of it since."""

import asyncio
import logging
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from plugin.delivery.report import SinkStatus, read_status
from plugin.delivery.timing import Timing
from plugin.docker.frames import Entry
from plugin.sinks.transport import resending_stream
from tests.delivery.worker_harness import WorkerHarness, until, working


@pytest.mark.parametrize("sink", ["syslog", "gelf"])
def test_it_fails_while_what_it_left_unread_cannot_be_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sink: str
) -> None:
    monkeypatch.setattr(resending_stream, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(resending_stream, "_LAST_PAUSE", 0.01)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    harness = WorkerHarness(tmp_path, {f"{sink}-address": f"tcp://127.0.0.1:{port}"})

    def told() -> SinkStatus:
        ((one,),) = [share.sinks for share in read_status(harness.data)]
        return one

    async def fail() -> None:
        await until(lambda: read_status(harness.data) and told().records == 1)
        assert told().failing_since == 0
        server, _ = listener.accept()
        listener.close()
        server.close()  # with bytes that nobody has read
        await until(lambda: told().failing_since)
        assert "Connection refused" in told().last_error
        assert not told().misconfigured
        since, written = told().failing_since, read_status(harness.data)[0].written
        await until(lambda: read_status(harness.data)[0].written > written)
        assert told().failing_since == since

    async def drive() -> None:
        harness.journal.write(Entry("stdout", 1, b"hello"))
        with ExitStack() as at_end:  # delivery ends before the server does
            async with working(harness.data, timing=Timing(report=0.05)):
                await fail()
                at_end.enter_context(socket.create_server(("127.0.0.1", port)))
                await until(lambda: not told().failing_since)
                assert told().last_error == ""

    caplog.set_level(logging.INFO)
    asyncio.run(drive())
    assert caplog.text.count("cannot send again") == 1
    assert caplog.text.count("sent again what") == 1
