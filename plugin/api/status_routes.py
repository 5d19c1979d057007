"""Answer ``GET /status``, ``GET /metrics`` and ``GET /healthz``."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from plugin.errors import StoppedError
from plugin.status.model import Status

if TYPE_CHECKING:
    from plugin.status.prometheus import Metrics

logger = logging.getLogger(__name__)


class Observer:
    """The status that ``gather`` returns, for one request after the other and in a thread of its own.

    ``troubles`` returns what of the plugin itself does not work; it raises ``StoppedError`` when that is shutting down.
    """

    def __init__(self, gather: Callable[[], Status], troubles: Callable[[], Sequence[str]] = lambda: ()) -> None:
        self._gather = gather
        self._troubles = troubles
        self._metrics: Metrics | None = None
        self._limiter: CapacityLimiter | None = None
        self._health_limiter: CapacityLimiter | None = None

    async def status(self, _: Request) -> Response:
        """Answer with the status as JSON."""
        return await self._in_thread(self._status)

    async def metrics(self, request: Request) -> Response:
        """Answer with the metrics."""
        return await self._in_thread(partial(self._render, request.headers.get("accept", "")))

    async def health(self, _: Request) -> Response:
        """Answer 200 if the plugin works, and otherwise 503 with what does not, one a line.

        It does not wait for others that gather a status.
        """
        if self._health_limiter is None:
            self._health_limiter = CapacityLimiter(1)
        return await self._in_thread(self._health, self._health_limiter)

    def _health(self) -> Response:
        troubles = self._troubles()
        return PlainTextResponse("\n".join(troubles or ["ok"]) + "\n", status_code=503 if troubles else 200)

    def _status(self) -> Response:
        return Response(msgspec.json.encode(self._gather()), media_type="application/json")

    def _render(self, accept: str) -> Response:
        if self._metrics is None:
            from plugin.status.prometheus import Metrics  # noqa: PLC0415 (takes time and memory that few need)

            self._metrics = Metrics(self._gather)
        content, media_type = self._metrics.render(accept)
        return Response(content, headers={"Content-Type": media_type})

    async def _in_thread(self, answer: Callable[[], Response], limiter: CapacityLimiter | None = None) -> Response:
        if limiter is None:
            limiter = self._limiter = self._limiter or CapacityLimiter(1)
        try:
            return await to_thread.run_sync(answer, limiter=limiter)
        except (StoppedError, asyncio.CancelledError):  # the server cancels what takes too long when it ends
            return PlainTextResponse(f"{StoppedError()}\n", status_code=503)
        except Exception as error:
            logger.exception("cannot gather the status")
            return PlainTextResponse(
                f"internal error ({type(error).__name__}); the plugin's log has the details\n", status_code=500
            )


def is_over_tcp(scope: Scope) -> bool:
    """Return whether a request came over TCP, by our own end of the connection: the peer's may be gone already."""
    server = scope.get("server")
    return server is not None and server[1] is not None
