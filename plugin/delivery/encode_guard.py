"""Defects of a sink: what it raises although no sink may. They must not end delivery, nor lose a line."""

import logging
import time
import traceback
from collections.abc import Sequence
from typing import Any

from plugin.sinks.base import MisconfiguredError, Record, RejectError, Sink, SinkError

logger = logging.getLogger(__name__)


class Defects:
    """Bugs of the sink of the destination ``name``; each is logged once, by its place in the source."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: set[tuple[type[BaseException], str, int | None]] = set()

    def tell(self, error: Exception) -> str:
        """Return the text for what a sink has raised."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        defect = (type(error), place.filename, place.lineno)
        if defect not in self._told:
            self._told.add(defect)
            logger.error("destination %s: bug in the sink", self._name, exc_info=error)
        return f"bug in the sink ({type(error).__name__}: {error})"

    def encode(self, sink: Sink[Any], records: Sequence[Record]) -> bytes:
        """Have a sink encode records; raise a bug in it as one of its own errors.

        `RejectError` blames the records, to be narrowed down to one, whatever ``Sink.encode`` raises: it is pure, and
        would fail again. But if it fails at a plain line of the same container as well, that is not the record's fault
        and all others would follow it: then it is `MisconfiguredError`.
        """
        try:
            return sink.encode(records)
        except (SinkError, MemoryError):
            raise
        except Exception as error:
            text = self.tell(error)
            if len(records) > 1 or _encodes_plain_line(sink, records[0].prepared):
                raise RejectError(text) from error
            raise MisconfiguredError(f"{text}, whatever the line") from error


def _encodes_plain_line(sink: Sink[Any], prepared: Any) -> bool:
    try:
        sink.encode([Record(prepared, "stdout", time.time_ns(), b"plain")])
    except Exception:  # noqa: BLE001 (it is logged already)
        return False
    return True
