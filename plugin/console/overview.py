"""What there is to look at: containers with what their journals and the plugin say of them, and destinations."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson

from plugin.browse.selection import PROJECT_LABELS, SERVICE_LABELS, Journal, known_journals
from plugin.docker.times import format_time
from plugin.errors import PeaveyError
from plugin.intake.attachments import Attachments
from plugin.journal.layout import DataFolder

_FRESH = 1.0  # seconds for which an overview is good for others who ask
_FROM_STATUS = ("received_bytes", "journal_bytes", "dropped_lines", "throttled", "sinks")


class OverviewSource:
    """Gathers overviews, one at a time; ``ask_status`` returns the plugin's ``/status``.

    Without a running plugin, ``fault`` of an overview says so, and containers are those of the data folder.
    ``signed_in`` tells the page whether one can sign out.
    """

    def __init__(self, data: DataFolder, ask_status: Callable[[], bytes], *, signed_in: bool) -> None:
        self._signed_in = signed_in
        self._data = data
        self._ask_status = ask_status
        self._known: dict[str, Journal] = {}
        self._lock = asyncio.Lock()
        self._gathered = -_FRESH
        self._content = b""

    async def get(self) -> bytes:
        """Return an overview as JSON, at most a second old."""
        async with self._lock:
            if time.monotonic() - self._gathered >= _FRESH:
                self._content = await asyncio.to_thread(self._gather)
                self._gathered = time.monotonic()
            return self._content

    def _gather(self) -> bytes:
        fault = ""
        status: dict[str, Any] = {}
        try:
            status = orjson.loads(self._ask_status())
        except PeaveyError as error:
            fault = str(error)
        self._known = known_journals(self._data, self._known)
        known = {one["container_id"]: one for one in status.get("containers", ())}
        running = {attachment.info.container_id for attachment in Attachments(self._data.streams).load()}
        return orjson.dumps(
            {
                "time": format_time(time.time_ns()),
                "fault": fault,
                "signed_in": self._signed_in,
                "containers": [
                    _container(one, known.get(one.id, {}), running=one.id in running) for one in self._known.values()
                ],
                "destinations": status.get("destinations", []),
                "disk": status.get("disk"),
                "faults": status.get("faults", []),
                "version": status.get("version", ""),
            }
        )


def _container(one: Journal, status: dict[str, Any], *, running: bool) -> dict[str, Any]:
    return {
        "container_id": one.id,
        "container_name": one.name,
        "image": one.image,
        "project": _first(one, PROJECT_LABELS),
        "service": _first(one, SERVICE_LABELS),
        "state": "running" if running else "stopped",
        "created": one.created,
        **{name: status.get(name) for name in _FROM_STATUS},
    }


def _first(one: Journal, labels: tuple[str, ...]) -> str:
    return next((one.labels[label] for label in labels if label in one.labels), "")
