"""What Cloud Logging answers: an error of the whole request, or of single entries.

Sources: *WriteLogEntriesPartialErrors* in the reference of the Cloud Logging API v2, google/rpc/code.proto.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, SinkError
from plugin.sinks.transport.http.responses import failure, shorten

_PARTIAL = "WriteLogEntriesPartialErrors"
INVALID_ARGUMENT = 3
SETUP_CODES = (5, 7, 9, 16)
"""NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION, UNAUTHENTICATED."""


class EntryErrors(SinkError):  # noqa: N818 (it holds several)
    """Some entries of a request were not taken; all others were. ``faults`` has code and message by place."""

    def __init__(self, message: str, faults: dict[int, tuple[int, str]]) -> None:
        super().__init__(message)
        self.faults = faults


class UnauthorizedError(MisconfiguredError):
    """The token is not accepted, any more perhaps."""


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret] = ()
) -> SinkError | None:
    """Return the failure that an answer stands for; takes the place of `failure`."""
    fault = failure(site, status, headers, body, secrets)
    if fault is None:
        return None
    if faults := _entry_faults(body, secrets):
        return EntryErrors(str(fault), faults)
    if status == 401:
        return UnauthorizedError(str(fault))
    if status == 403:
        return MisconfiguredError(f"{fault} (the account needs the role roles/logging.logWriter of the project)")
    return fault


def _entry_faults(body: bytes, secrets: Iterable[Secret]) -> dict[int, tuple[int, str]]:
    try:
        details = orjson.loads(body)["error"]["details"]
        (errors,) = (detail["logEntryErrors"] for detail in details if str(detail.get("@type")).endswith(_PARTIAL))
        return {int(place): _fault(status, secrets) for place, status in errors.items()}
    except (orjson.JSONDecodeError, LookupError, TypeError, ValueError, AttributeError):
        return {}


def _fault(status: dict[str, Any], secrets: Iterable[Secret]) -> tuple[int, str]:
    message = shorten(str(status.get("message", "")).encode("utf-8", "replace"), secrets).removeprefix(": ")
    return int(status.get("code", 0)), message
