"""The ASGI application: the five requests of the LogDriver protocol, and those for status, metrics and health.

The former are the engine's, and answered on the plugin's socket alone. Their errors are answered with status 200 too,
since the engine shows the text of ``Err`` only then without a prefix; but those of ReadLogs with another one, since the
engine would take what comes with 200 for frames.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import msgspec
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from plugin.api.follow import LogReader, Session
from plugin.api.requests import ReadLogs, StartLogging, StopLogging, decode
from plugin.api.status_routes import Observer, is_over_tcp
from plugin.errors import OptionError, PeaveyError, StoppedError
from plugin.intake.admission import Admission
from plugin.intake.service import Intake

logger = logging.getLogger(__name__)

_CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"
_FRAMES_TYPE = "application/octet-stream"
Handler = Callable[[bytes], Awaitable[Response]]


class LogDriver:
    """The engine's requests; ``admission`` decides on log-opts, ``intake`` has the streams."""

    def __init__(self, intake: Intake, admission: Admission, reader: LogReader) -> None:
        self._intake = intake
        self._admission = admission
        self._reader = reader

    async def activate(self, _: bytes) -> Response:
        """Answer that this plugin is a log driver; only asked of plugins that the engine does not manage."""
        return _answer({"Implements": ["LogDriver"]})

    async def capabilities(self, _: bytes) -> Response:
        """Answer that logs can be read back."""
        return _answer({"Cap": {"ReadLogs": True}})

    async def start_logging(self, body: bytes) -> Response:
        """Check the log-opts and begin a stream. No destination is asked."""
        request = decode(body, StartLogging, "StartLogging")
        await to_thread.run_sync(self._start, request)
        return _answer({"Err": ""})

    def _start(self, request: StartLogging) -> None:
        if self._intake.is_attached(request.file, request.info):
            return
        self._intake.check_fifo(request.file)
        try:
            options = self._admission.admit(request.info)
        except OptionError:
            self._intake.remove_refused(request.file)
            raise
        self._intake.attach(request.file, request.info, options)

    async def stop_logging(self, body: bytes) -> Response:
        """End a stream once all of it is in the journal.

        The engine repeats a request whose answer it did not get, then perhaps without its body. Which stream ends
        then cannot be known, so all are emptied; the engine removes the FIFO, which ends it. An unknown file means
        that the work is done.
        """
        if not body.strip():
            await asyncio.wrap_future(self._intake.drain())
            return _answer({"Err": ""})
        request = decode(body, StopLogging, "StopLogging")
        if not await asyncio.wrap_future(self._intake.detach(request.file)):
            logger.debug("StopLogging: %s is not attached", request.file)
        return _answer({"Err": ""})

    async def read_logs(self, body: bytes) -> Response:
        """Stream the frames that ``docker logs`` wants."""
        request = decode(body, ReadLogs, "ReadLogs")
        logger.debug("ReadLogs: container %s: %s", request.info.label, request.config)
        session = await self._reader.open(request.info.container_id, request.query())
        frames = session.all_frames()
        if frames is None:
            return _ReadingResponse(session)
        session.close()
        return Response(frames, media_type=_FRAMES_TYPE)


class _ReadingResponse(StreamingResponse):
    """A streamed reading, closed also when the client leaves before the first frame."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.frames(), media_type=_FRAMES_TYPE)
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._session.close()


def create_app(intake: Intake, admission: Admission, reader: LogReader, observer: Observer | None = None) -> Starlette:
    """Return the application, with status and metrics if there is an ``observer``.

    It starts and stops the intake.
    """
    driver = LogDriver(intake, admission, reader)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        intake.start()
        try:
            yield
        finally:
            await to_thread.run_sync(intake.stop)

    handlers = {
        "/Plugin.Activate": driver.activate,
        "/LogDriver.Capabilities": driver.capabilities,
        "/LogDriver.StartLogging": driver.start_logging,
        "/LogDriver.StopLogging": driver.stop_logging,
    }
    routes = [Route(path, partial(_handle, handler), methods=["POST"]) for path, handler in handlers.items()]
    routes.append(Route("/LogDriver.ReadLogs", partial(_handle, driver.read_logs, refusal=400), methods=["POST"]))
    if observer is not None:
        answers = {"/status": observer.status, "/metrics": observer.metrics, "/healthz": observer.health}
        routes += [Route(path, answer) for path, answer in answers.items()]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _not_found, 405: _not_found})


async def _handle(handler: Handler, request: Request, refusal: int = 200) -> Response:
    """Answer a request, with ``Err`` for what went wrong; the details of a bug are in the log only."""
    if is_over_tcp(request.scope):
        return await _not_found(request)
    name = request.scope["path"].removeprefix("/")
    try:
        return await handler(await request.body())
    except (StoppedError, asyncio.CancelledError):  # the server cancels what takes too long when it ends
        message = str(StoppedError())
        logger.info("%s: not done: %s", name, message)
    except PeaveyError as error:
        logger.warning("%s: refused: %s", name, error)
        message = str(error)
    except OSError as error:
        logger.error("%s: failed: %s", name, error)  # noqa: TRY400 (the disk's fault, not a bug)
        message = str(error)
    except Exception as error:
        logger.exception("%s: failed", name)
        message = f"internal error ({type(error).__name__}); the plugin's log has the details"
    return _answer({"Err": f"peavey: {message}"}, refusal)


async def _not_found(request: Request, _: Exception | None = None) -> Response:
    expected = "not a request of the LogDriver protocol"
    if is_over_tcp(request.scope):
        expected = (
            "not answered here (expected: GET /status, /metrics or /healthz; the engine's requests go to the plugin's"
            " socket)"
        )
    return PlainTextResponse(f"{request.method} {request.scope['path']} is {expected}\n", status_code=404)


def _answer(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type=_CONTENT_TYPE)
