"""What the answer of an HTTP server means: acknowledged, or one of the three failures."""

import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import quote, quote_plus

from plugin.config.parsing import printable
from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, TooLargeError
from plugin.sinks.encoding.text import text

Judge = Callable[[str, int, Mapping[str, str], bytes, Iterable[Secret]], SinkError | None]
"""Tells what an answer means: as `failure`, or with a protocol's own codes in the body."""

LONGEST_WAIT = 3600.0
"""The longest pause in seconds that a server is believed to want."""

_SHOWN = 600
_SHORTEST_SECRET = 4  # to mask less would tear words apart and hide nothing

_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "check user and password or token",
    HTTPStatus.FORBIDDEN: "check user and password or token, and what they permit",
    HTTPStatus.NOT_FOUND: "check the path of the URL",
    HTTPStatus.METHOD_NOT_ALLOWED: "check the path of the URL",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "check which format the server takes",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "check user and password of the proxy",
}
# Some servers, Fluent Bit among them, say with 400 what 415 is for.
_WRONG_FORMAT = re.compile(rb"(?:invalid|unknown|unsupported|wrong) '?content[- ]type", re.IGNORECASE)
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_PHRASES: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}


def failure(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret] = ()
) -> SinkError | None:
    """Return the failure that an answer stands for, None for 2xx.

    408, 425, 429 and 5xx may pass, and so may what is not the status of an answer at all: `RetryError`. 401, 403, 404,
    405, 407, 415 and redirects, which are not followed, need attention: `MisconfiguredError`. All
    others are about this batch: `RejectError`, and for 413 `TooLargeError`. The message calls the server ``site``.
    """
    if 200 <= status < 300:
        return None
    message = f"{site} answered {status} {_PHRASES.get(status, '')}".rstrip()
    shown = shorten(body, secrets)
    if status < 200 or status >= 600:
        return RetryError(f"{message}, which is not the status of an answer{shown}")
    if 300 <= status < 400:
        return MisconfiguredError(f"{message}, a redirect, which is not followed: give the URL that it leads to")
    if status == HTTPStatus.BAD_REQUEST and _WRONG_FORMAT.search(body):
        status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if advice := _ADVICE.get(status):
        return MisconfiguredError(f"{message} ({advice}){shown}")
    if status in _LATER or status >= 500:
        return RetryError(message + shown, retry_after(headers))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLargeError(message + shown)
    return RejectError(message + shown)


def shorten(body: bytes, secrets: Iterable[Secret] = ()) -> str:
    """Return the start of an answer's body for a message, on one line after a colon; secrets are masked."""
    content = mask(" ".join(text(body).split()), secrets)
    if not content:
        return ""
    return ": " + printable(content if len(content) <= _SHOWN else content[: _SHOWN - 1] + "…")


def mask(content: str, secrets: Iterable[Secret]) -> str:
    """Replace secrets in a text that came from a server, in the forms that servers write texts in."""
    hidden = {form for secret in secrets for form in _forms(secret.reveal()) if len(form) >= _SHORTEST_SECRET}
    for one in sorted(hidden, key=len, reverse=True):  # one may be a part of another
        content = content.replace(one, "***")
    return content


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret, and the credentials of an ``Authorization``, as they are and as JSON, HTML and URLs have them."""
    _, blank, credentials = secret.partition(" ")
    for plain in {secret, " ".join(secret.split()), credentials if blank else secret}:
        escaped = json.dumps(plain)[1:-1]
        yield from (plain, escaped, escaped.replace("/", "\\/"), json.dumps(plain, ensure_ascii=False)[1:-1])
        yield from (html.escape(plain), quote(plain, safe=""), quote_plus(plain))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After``: seconds, or a date, which is compared with the server's own ``Date`` (RFC 9110, 10.2.3).

    Gives seconds from 0 to an hour; None if the header is missing or cannot be read.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), LONGEST_WAIT)
    moment, now = _date(value), _date(headers.get("Date", ""))
    if moment is None:
        return None
    seconds = (moment - (now or datetime.now(moment.tzinfo))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, ArithmeticError, LookupError):  # whatever is in the text
        return None
    return moment if moment.tzinfo else None
