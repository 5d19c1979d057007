"""The application: what is answered when something goes wrong, and when a client leaves."""

import asyncio
import json
import logging
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from threading import Event
from typing import Any

import pytest
from starlette.applications import Starlette

from plugin.api.app import create_app
from plugin.api.follow import LogReader
from plugin.api.status_routes import Observer
from plugin.intake.admission import Admission
from plugin.intake.service import Intake
from plugin.journal.readback import LogQuery
from tests.intake.pump_harness import ONE, Fifo, PumpHarness, frames
from tests.journal.entries import read_lines

START, STOP, READ = "/LogDriver.StartLogging", "/LogDriver.StopLogging", "/LogDriver.ReadLogs"


@dataclass
class Reply:
    """What was answered."""

    status: int = 0
    type: str = ""
    body: bytes = b""

    @property
    def error(self) -> str:
        """The text of ``Err``."""
        text: str = json.loads(self.body)["Err"]
        return text


async def call(
    app: Starlette,
    path: str,
    body: bytes = b"",
    method: str = "POST",
    *,
    leaves: bool = False,
    cancelled_at: Event | None = None,
) -> Reply:
    """Send a request; the client may leave as soon as its request was read, the server cancel it at an event."""
    reply = Reply()
    requests = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> MutableMapping[str, Any]:
        for message in requests:
            return message
        if not leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.type = dict(message["headers"]).get(b"content-type", b"").decode()
        else:
            reply.body += message["body"]

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], "root_path": ""}
    answering = asyncio.ensure_future(app(scope, receive, send))
    if cancelled_at is not None:
        await asyncio.to_thread(cancelled_at.wait, 120)
        answering.cancel()
    await asyncio.wait_for(answering, 120)
    return reply


def post(app: Starlette, path: str, content: object = None) -> Reply:
    """Send a request and wait for the whole answer."""
    return asyncio.run(call(app, path, b"" if content is None else json.dumps(content).encode()))


def start(fifo: Fifo, **config: str) -> dict[str, object]:
    return {"File": str(fifo.path), "Info": {"ContainerID": ONE, "Config": config}}


@pytest.fixture
def reader(intake: Intake) -> LogReader:
    """A reader that lets one follow."""
    return LogReader(intake, 1)


@pytest.fixture
def app(harness: PumpHarness, intake: Intake, reader: LogReader) -> Starlette:
    """The application, whose intake runs already."""
    return create_app(intake, Admission(harness.data, {}), reader)


class TestStreams:
    def test_from_start_to_stop(self, app: Starlette, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        reply = post(app, START, start(fifo))
        assert (reply.status, reply.error) == (200, "")
        assert reply.type == "application/vnd.docker.plugins.v1.2+json"
        fifo.write(frames(2))
        assert post(app, STOP, {"File": str(fifo.path)}).error == ""
        assert harness.written() == frames(2)
        assert [line.text for line in read_lines(post(app, READ, start(fifo)).body)] == [b"line 0 \n", b"line 1 \n"]

    def test_debug_tells_of_each_request(
        self, app: Starlette, harness: PumpHarness, caplog: pytest.LogCaptureFixture
    ) -> None:
        fifo = harness.fifo("a")
        info = {"ContainerID": ONE, "ContainerName": "/web"}
        with caplog.at_level(logging.DEBUG, "plugin"):
            for path in (START, READ):
                post(app, path, {"File": str(fifo.path), "Info": info, "Config": {"Tail": 7}})
            post(app, STOP, {"File": str(fifo.path)})
        label = f"container web ({ONE[:12]})"
        for line in (f"StartLogging: {label}: stream a", f"ReadLogs: {label}: ", f"StopLogging: {label}: stream a"):
            assert line in caplog.text
        assert "tail=7" in caplog.text

    def test_a_repeated_start_is_not_checked_again(self, app: Starlette, harness: PumpHarness) -> None:
        fifo = harness.fifo("a")
        assert post(app, START, start(fifo)).error == ""
        assert post(app, START, start(fifo, **{"max-file": "none"})).error == ""
        assert fifo.path.exists()

    def test_a_refused_start_removes_no_fifo_that_is_not_of_the_logging_folder(
        self, app: Starlette, harness: PumpHarness
    ) -> None:
        outside = Fifo(harness.logging.parent / "outside")
        assert "does not name a FIFO" in post(app, START, start(outside, **{"max-file": "none"})).error
        assert outside.path.exists()

    @pytest.mark.parametrize("body", [b"", b" \n"])
    def test_a_stop_without_a_body_empties_all_and_ends_none(
        self, app: Starlette, harness: PumpHarness, intake: Intake, body: bytes
    ) -> None:
        fifo = harness.fifo("a")
        post(app, START, start(fifo))
        fifo.write(frames(2))
        assert asyncio.run(call(app, STOP, body)).error == ""
        assert harness.written() == frames(2)
        assert len(intake.collect(ONE).result()) == 1

    def test_a_stop_of_an_unknown_file_is_done(self, app: Starlette) -> None:
        for content in ({"File": "/none"}, {}):
            assert post(app, STOP, content).error == ""


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (RuntimeError("secret"), "peavey: internal error (RuntimeError); the plugin's log has the details"),
            (OSError(5, "Input/output error"), "peavey: [Errno 5] Input/output error"),
        ],
    )
    @pytest.mark.parametrize(("path", "status", "method"), [(START, 200, "is_attached"), (READ, 400, "collect")])
    def test_one_is_told_in_err_and_in_the_log(
        self,
        app: Starlette,
        harness: PumpHarness,
        intake: Intake,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        error: Exception,
        expected: str,
        path: str,
        status: int,
        method: str,
    ) -> None:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(intake, method, fail)
        reply = post(app, path, start(harness.fifo("a")))
        assert (reply.status, reply.error) == (status, expected)
        (record,) = caplog.records
        assert record.getMessage().startswith(path.removeprefix("/"))
        assert bool(record.exc_info) == isinstance(error, RuntimeError)

    @pytest.mark.parametrize(("path", "status"), [(START, 200), (STOP, 200), (READ, 400)])
    def test_a_malformed_request_is_told(self, app: Starlette, path: str, status: int) -> None:
        reply = asyncio.run(call(app, path, b"{"))
        assert reply.status == status
        assert reply.error.startswith(f"peavey: {path.removeprefix('/LogDriver.')}: the body is not JSON")

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", START), ("POST", "/"), ("POST", "/LogDriver.None"), ("HEAD", "/none")]
    )
    def test_another_request_is_told_to_be_none(self, app: Starlette, method: str, path: str) -> None:
        reply = asyncio.run(call(app, path, method=method))
        assert reply.status == 404
        assert reply.body == f"{method} {path} is not a request of the LogDriver protocol\n".encode()


class TestAPluginThatEnds:
    """What is asked of it, or was under way, is refused in a sentence, and is not an error."""

    STOPPING = "the plugin is stopping; ask again when it is back"

    @pytest.fixture(autouse=True)
    def quiet(self, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        yield
        assert [record for record in caplog.records if record.levelno > logging.INFO or record.exc_info] == []

    @pytest.mark.parametrize(("path", "status"), [(START, 200), (STOP, 200), (READ, 400)])
    def test_what_the_engine_asks_late_is_refused(
        self, app: Starlette, harness: PumpHarness, intake: Intake, path: str, status: int
    ) -> None:
        intake.stop()
        reply = post(app, path, start(harness.fifo("a")))
        assert (reply.status, reply.error) == (status, f"peavey: {self.STOPPING}")

    def test_what_the_engine_waits_for_is_refused(
        self, app: Starlette, harness: PumpHarness, intake: Intake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        under_way, over = Event(), Event()

        def wait(*_: object) -> bool:
            under_way.set()
            return over.wait(120)

        monkeypatch.setattr(intake, "is_attached", wait)
        try:
            body = json.dumps(start(harness.fifo("a"))).encode()
            reply = asyncio.run(call(app, START, body, cancelled_at=under_way))
        finally:
            over.set()
        assert (reply.status, reply.error) == (200, f"peavey: {self.STOPPING}")

    @pytest.mark.parametrize("path", ["/status", "/metrics", "/healthz"])
    def test_its_status_is_not_told_late(
        self, harness: PumpHarness, intake: Intake, reader: LogReader, path: str
    ) -> None:
        def gather() -> Any:
            intake.snapshot()
            raise AssertionError

        intake.stop()
        app = create_app(intake, Admission(harness.data, {}), reader, Observer(gather, gather))
        reply = asyncio.run(call(app, path, method="GET"))
        assert (reply.status, reply.body.decode()) == (503, f"{self.STOPPING}\n")

    @pytest.mark.parametrize("path", ["/status", "/metrics", "/healthz"])
    def test_its_status_is_not_waited_for(
        self, harness: PumpHarness, intake: Intake, reader: LogReader, path: str
    ) -> None:
        under_way, over = Event(), Event()

        def gather() -> Any:
            under_way.set()
            over.wait(120)
            raise AssertionError

        app = create_app(intake, Admission(harness.data, {}), reader, Observer(gather, gather))
        try:
            reply = asyncio.run(call(app, path, method="GET", cancelled_at=under_way))
        finally:
            over.set()
        assert (reply.status, reply.body.decode()) == (503, f"{self.STOPPING}\n")


class TestReading:
    def test_a_client_that_leaves_before_the_first_frame_leaves_its_place(
        self, app: Starlette, harness: PumpHarness, intake: Intake, reader: LogReader
    ) -> None:
        fifo = harness.fifo("a")
        post(app, START, start(fifo))
        query = json.dumps({"Info": {"ContainerID": ONE}, "Config": {"Follow": True}}).encode()

        async def main() -> None:
            await call(app, READ, query, leaves=True)
            assert intake._followers == {}
            (await reader.open(ONE, LogQuery(follow=True))).close()

        asyncio.run(main())

    def test_too_many_followers_are_told_with_a_status(
        self, app: Starlette, harness: PumpHarness, intake: Intake, reader: LogReader
    ) -> None:
        post(app, START, start(harness.fifo("a")))
        query = json.dumps({"Info": {"ContainerID": ONE}, "Config": {"Follow": True}}).encode()

        async def main() -> None:
            session = await reader.open(ONE, LogQuery(follow=True))
            reply = await call(app, READ, query)
            assert reply.status == 400
            assert "PEAVEY_MAX_FOLLOWERS" in reply.error
            session.close()

        asyncio.run(main())
        assert intake._followers == {}


def test_its_life_is_that_of_the_intake(harness: PumpHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(Intake, "__init__", lambda _: None)
    monkeypatch.setattr(Intake, "start", lambda _: steps.append("start"))
    monkeypatch.setattr(Intake, "stop", lambda _: steps.append("stop"))
    intake = Intake.__new__(Intake)
    app = create_app(intake, Admission(harness.data, {}), LogReader(intake, 1))

    async def main() -> None:
        async with app.router.lifespan_context(app):
            assert steps == ["start"]

    asyncio.run(main())
    assert steps == ["start", "stop"]
