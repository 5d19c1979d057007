"""Answer ``GET /status`` and ``GET /metrics``."""

import asyncio
import logging
from collections.abc import Callable
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
    """The status that ``gather`` returns, for one request after the other and in a thread of its own."""

    def __init__(self, gather: Callable[[], Status]) -> None:
        self._gather = gather
        self._metrics: Metrics | None = None
        self._limiter: CapacityLimiter | None = None

    async def status(self, _: Request) -> Response:
        """Answer with the status as JSON."""
        return await self._in_thread(
            lambda: Response(msgspec.json.encode(self._gather()), media_type="application/json")
        )

    async def metrics(self, request: Request) -> Response:
        """Answer with the metrics."""
        return await self._in_thread(self._render, request.headers.get("accept", ""))

    def _render(self, accept: str) -> Response:
        if self._metrics is None:
            from plugin.status.prometheus import Metrics  # noqa: PLC0415 (takes time and memory that few need)

            self._metrics = Metrics(self._gather)
        content, media_type = self._metrics.render(accept)
        return Response(content, headers={"Content-Type": media_type})

    async def _in_thread(self, answer: Callable[..., Response], *arguments: str) -> Response:
        if self._limiter is None:
            self._limiter = CapacityLimiter(1)
        try:
            return await to_thread.run_sync(answer, *arguments, limiter=self._limiter)
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
