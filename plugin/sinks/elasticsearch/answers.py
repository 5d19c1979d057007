"""What a bulk request is answered: a verdict on each of its items.

Sources: "Bulk API", "Response body" and "Example with failed actions", in Elasticsearch's reference; kinds of errors:
its exceptions, and OpenSearch's, which are the same.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

import orjson

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, SinkError, TooLargeError
from plugin.sinks.transport.http.responses import failure, shorten

FILTER_PATH = "errors,items.*.status,items.*.error.type,items.*.error.reason"
"""What of an answer is asked for: the rest is many times larger."""

# What `filter_path` leaves of an answer that has no errors begins so, and so do unfiltered ones.
_is_success = re.compile(rb'\s*\{\s*(?:"took"\s*:\s*\d+\s*,\s*)?"errors"\s*:\s*false\b').match

# Refusals that are about the index or the request, not about the document: every other one would be refused, too.
_SETUP_TYPES = frozenset({"index_not_found_exception", "invalid_index_name_exception", "index_closed_exception"})
_SETUP_REASONS = re.compile(
    r"no write index is defined|pipeline .* does not exist|explicit index in bulk is not allowed"
    r"|maximum .*shards open|Limit of total fields|is not allowed in data streams|only write ops with an op_type"
    r"|unrecognized parameter|no matching index template",
    re.IGNORECASE,
)

_LATER = (408, 425, 429)
_PERMISSION = (401, 403)
_PRIVILEGES = "the user or API key needs the privileges create_doc and auto_configure for it"
_MISSING = "create it, or let it be created: privilege auto_configure, cluster setting action.auto_create_index"


class Kind(Enum):
    """What becomes of an item."""

    TAKEN = "taken"
    AGAIN = "again"
    REFUSED = "refused"
    MISCONFIGURED = "misconfigured"


class Verdict(NamedTuple):
    """What was said of one item; the reason is empty for one that was taken."""

    kind: Kind
    reason: str = ""


TAKEN = Verdict(Kind.TAKEN)


def is_success(answer: bytes) -> bool:
    """Return whether an answer says that all items were taken; False also for one that has to be read first."""
    return _is_success(answer) is not None


def read_verdicts(answer: bytes) -> list[Verdict] | None:
    """Return the verdicts on the items, in their order; None for what is not the answer to a bulk request."""
    try:
        content = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list):
        return None
    return [_verdict(result) for item in items if isinstance(item, dict) for result in item.values()]


def _verdict(result: Any) -> Verdict:
    status = result.get("status") if isinstance(result, dict) else None
    if not isinstance(status, int):
        return Verdict(Kind.AGAIN, "an item without a status")
    # 409 to `create` means that a document with this id is there already: the same line, sent before.
    if 200 <= status < 300 or status == 409:
        return TAKEN
    error = result.get("error")
    kind, reason = _error(error)
    said = f"{status} {kind}: {reason}" if reason else f"{status} {kind}"
    if status in _LATER or status >= 500:
        return Verdict(Kind.AGAIN, f"{status} {kind}")  # the reason holds figures that are others each time
    if is_about_setup(kind, reason) or status == 404:
        return Verdict(Kind.MISCONFIGURED, f"{said} ({_MISSING})" if status == 404 else said)
    if status in _PERMISSION:
        return Verdict(Kind.MISCONFIGURED, f"{said} ({_PRIVILEGES})")
    return Verdict(Kind.REFUSED, said)


def _error(error: Any) -> tuple[str, str]:
    if not isinstance(error, dict):
        return str(error or "error"), ""
    return str(error.get("type") or "error"), str(error.get("reason") or "")


def is_about_setup(kind: str, reason: str) -> bool:
    """Return whether an error is about how index and request are set up, so that all documents would have it."""
    return kind in _SETUP_TYPES or _SETUP_REASONS.search(reason) is not None


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret] = ()
) -> SinkError | None:
    """Return the failure that the answer to a whole request stands for; takes the place of `failure`."""
    fault = failure(site, status, headers, body, secrets)
    if isinstance(fault, RejectError) and not isinstance(fault, TooLargeError):
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            return fault
        if is_about_setup(*_error(content.get("error") if isinstance(content, dict) else None)):
            return MisconfiguredError(str(fault))
    return fault


def masked(reason: str, secrets: Iterable[Secret]) -> str:
    """Return a reason for a message, on one line, without secrets."""
    return shorten(reason.encode("utf-8", "replace"), secrets).removeprefix(": ")
