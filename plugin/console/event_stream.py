"""A live tail as Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson
from anyio import CapacityLimiter, to_thread

from plugin.browse.line_object import line_object
from plugin.browse.live_tail import LiveTail, Step

MEDIA_TYPE = "text/event-stream"
_POLL = 0.2  # seconds between two looks at what has come
_ALIVE = 15.0  # seconds after which something is sent in any case, so that proxies and we notice who has gone
_RETRY = b"retry: 1000\n\n"


async def events(tail: LiveTail, limiter: CapacityLimiter, stopping: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield events until the client leaves or the server stops.

    They are ``lines`` with a list of them, and ``missed`` with what was passed over.

    The id of an event says where to go on behind it: a browser that reconnects sends it as ``Last-Event-ID``. Nothing
    is read ahead of a client that does not take what it was sent.
    """
    quiet = 0.0
    yield _RETRY
    try:
        while not stopping():
            step = await to_thread.run_sync(tail.step, limiter=limiter)
            if step.lines or step.missed:
                quiet = 0.0
                yield encode_step(step, tail.places())
            elif quiet >= _ALIVE:
                quiet = 0.0
                yield b": alive\n\n"
            if not step.more:
                quiet += _POLL
                await asyncio.sleep(_POLL)
    finally:
        tail.close()


def encode_step(step: Step, places: str) -> bytes:
    """Return the events of a step; only the last one has an id, since only behind it all has been sent."""
    parts = []
    for journal, count in step.missed:
        content = {"container_id": journal.id, "container_name": journal.name, "bytes": count}
        parts.append(b"event: missed\ndata: " + orjson.dumps(content) + b"\n")
    if step.lines:
        content_lines = [{**line_object(journal, line), "offset": line.offset} for journal, line in step.lines]
        parts.append(b"event: lines\ndata: " + orjson.dumps(content_lines) + b"\n")
    parts[-1] += b"id: " + places.encode() + b"\n"
    return b"\n".join(parts) + b"\n"
