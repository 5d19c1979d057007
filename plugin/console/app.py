"""The page's application: its files, the JSON API that ``docs/console.md`` describes, and live tails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from plugin.browse.live_tail import LiveTail
from plugin.console.access import COOKIE, Access, Gate
from plugin.console.dead_letters import DeadLetterBox
from plugin.console.event_stream import MEDIA_TYPE, events
from plugin.console.overview import OverviewSource
from plugin.console.queries import MOST_LINES, Parameters
from plugin.console.searching import Deadline, Search
from plugin.errors import PeaveyError
from plugin.journal.layout import DataFolder

_STATIC = Path(__file__).parent / "static"
_MOST_TAILS = 32
_TAIL_THREADS = 4
_SEARCHES = 2
_LARGEST_FORM = 4096
_FAILED_LOGIN = 1.0  # seconds that an answer to a wrong token takes


class Console:
    """Answers what the page asks.

    ``ask`` returns the plugin's answer to a path such as ``/metrics``, with its media type. ``environment`` is that of
    commands which are run. ``tls`` says whether the page is served by HTTPS.
    """

    def __init__(
        self,
        data: DataFolder,
        ask: Callable[[str], tuple[bytes, str]],
        access: Access,
        environment: Mapping[str, str],
        *,
        tls: bool,
    ) -> None:
        self._data = data
        self._ask = ask
        self._access = access
        self._tls = tls
        self._overview = OverviewSource(data, lambda: ask("/status")[0], signed_in=access.needs_token)
        self._dead = DeadLetterBox(data, environment)
        self._tails = 0
        self._stopping = False
        self._tail_threads = CapacityLimiter(_TAIL_THREADS)
        self._searches = CapacityLimiter(_SEARCHES)

    def app(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/", self._page),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/healthz", partial(self._passed_on, "/healthz")),
            Route("/status", partial(self._passed_on, "/status")),
            Route("/metrics", partial(self._passed_on, "/metrics")),
            Route("/api/overview", _checked(self._get_overview)),
            Route("/api/lines", _checked(self._lines)),
            Route("/api/histogram", _checked(self._histogram)),
            Route("/api/download", _checked(self._download)),
            Route("/api/tail", _checked(self._tail)),
            Route("/api/dead", _checked(self._dead_letters)),
            Route("/api/dead/again", _checked(self._again), methods=["POST"]),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
        return Starlette(routes=routes, middleware=[Middleware(Gate, access=self._access)])

    def stop(self) -> None:
        """End the live tails."""
        self._stopping = True

    async def _page(self, _: Request) -> Response:
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def _login(self, request: Request) -> Response:
        """Show the form, or take it: the cookie that comes with the right token is the page's alone."""
        if request.method == "GET":
            return _login_form(refused=False)
        token = await _form_field(request, "token")
        session = self._access.session(token)
        if session is None:
            await asyncio.sleep(_FAILED_LOGIN)
            return _login_form(refused=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict", secure=self._tls, path="/")
        return answer

    async def _logout(self, _: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=self._tls, path="/")
        return answer

    async def _passed_on(self, path: str, _: Request) -> Response:
        """Answer what the plugin does."""
        try:
            content, media_type = await asyncio.to_thread(self._ask, path)
        except PeaveyError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return Response(content, headers={"Content-Type": media_type})

    async def _get_overview(self, _: Request) -> Response:
        return _json(await self._overview.get())

    async def _lines(self, request: Request) -> Response:
        parameters = Parameters(request.query_params)
        parameters.expect("limit", "order", "context")
        limit = parameters.number("limit", 500, 1, MOST_LINES)
        newest = parameters.choice("order", "newest", "oldest") == "newest"
        deadline = Deadline()
        query = parameters.lines(limit=limit, newest_first=newest, cancelled=deadline)
        wanted = parameters.wanted()
        return _json(await self._search(request, deadline, lambda: Search(self._data, wanted).lines(query)))

    async def _histogram(self, request: Request) -> Response:
        parameters = Parameters(request.query_params)
        parameters.expect("buckets")
        buckets = parameters.number("buckets", 60, 1, 500)
        deadline = Deadline()
        query = parameters.lines(cancelled=deadline)
        wanted = parameters.wanted()
        return _json(
            await self._search(request, deadline, lambda: Search(self._data, wanted).histogram(query, buckets))
        )

    async def _search(self, request: Request, deadline: Deadline, work: Callable[[], bytes]) -> bytes:
        """Search in a thread, which ends soon after the client has left."""
        watch = asyncio.create_task(_until_gone(request, deadline))
        try:
            return await to_thread.run_sync(work, limiter=self._searches)
        finally:
            deadline.left = True
            watch.cancel()

    async def _download(self, request: Request) -> Response:
        parameters = Parameters(request.query_params)
        parameters.expect("format")
        as_json = parameters.choice("format", "raw", "ndjson") == "ndjson"
        query = parameters.lines()
        search = await asyncio.to_thread(Search, self._data, parameters.wanted())
        name = f"logs.{'ndjson' if as_json else 'txt'}"
        return StreamingResponse(
            _pieces(search.download(query, as_json=as_json), self._searches),
            media_type="application/x-ndjson" if as_json else "text/plain; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def _tail(self, request: Request) -> Response:
        parameters = Parameters(request.query_params)
        parameters.expect("tail", "from")
        if self._tails >= _MOST_TAILS:
            return PlainTextResponse(f"{_MOST_TAILS} live tails run already\n", 503, headers={"Retry-After": "5"})
        count = parameters.number("tail", 200, 0, MOST_LINES)
        wants = parameters.lines().wants
        places = request.headers.get("last-event-id") or request.query_params.get("from", "")
        make = partial(LiveTail, self._data, parameters.wanted(), tail=count, wants=wants, places=places)
        tail = await asyncio.to_thread(make)
        return StreamingResponse(
            self._counted(events(tail, self._tail_threads, lambda: self._stopping)),
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._tails += 1
        try:
            async for piece in stream:
                yield piece
        finally:
            self._tails -= 1

    async def _dead_letters(self, _: Request) -> Response:
        return _json(await self._dead.list())

    async def _again(self, request: Request) -> Response:
        wanted = await _json_body(request)
        return _json(orjson.dumps(await self._dead.send_again(wanted.get("container_id"), wanted.get("sink"))))


def _login_form(*, refused: bool) -> Response:
    text = (_STATIC / "login.html").read_text()
    if refused:
        return HTMLResponse(text.replace('<p role="alert" hidden>', '<p role="alert">'), 403)
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


def _checked(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Answer a request whose parameters are wrong with what is wrong about them."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except PeaveyError as error:
            return PlainTextResponse(f"{error}\n", 400)

    return answer


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _until_gone(request: Request, deadline: Deadline) -> None:
    while not await request.is_disconnected():  # noqa: ASYNC110 (nothing else announces it)
        await asyncio.sleep(0.2)
    deadline.left = True


async def _pieces(source: Any, limiter: CapacityLimiter) -> AsyncIterator[bytes]:
    try:
        while True:
            piece = await to_thread.run_sync(next, source, None, limiter=limiter)
            if piece is None:
                return
            yield piece
    finally:
        source.close()


async def _form_field(request: Request, name: str) -> str:
    content = await _small_body(request)
    return parse_qs(content.decode("utf-8", "replace")).get(name, [""])[0]


async def _json_body(request: Request) -> dict[str, Any]:
    try:
        content = orjson.loads(await _small_body(request))
    except orjson.JSONDecodeError as error:
        raise PeaveyError(f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise PeaveyError("the body is not a JSON object")
    return content


async def _small_body(request: Request) -> bytes:
    content = b""
    try:
        async for piece in request.stream():
            content += piece
            if len(content) > _LARGEST_FORM:
                raise PeaveyError(f"the body is too long (at most {_LARGEST_FORM} bytes)")
    except ClientDisconnect:
        return b""
    return content
