"""What ClickHouse answers: exceptions have a code, in a header, in the body, or behind what was begun with 200.

Sources: "HTTP interface" in ClickHouse's documentation; ``src/Common/ErrorCodes.cpp`` for the codes.
"""

import re
from collections.abc import Iterable, Mapping

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError
from plugin.sinks.transport.http.responses import failure, retry_after, shorten

_CODE_HEADER = "X-ClickHouse-Exception-Code"
_CODE = re.compile(rb"Code: (\d{1,9})\. ?(?:DB::)?")
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)

_ADVICE = {
    8: "check clickhouse-columns: the table lacks a column",
    10: "check clickhouse-columns: the table lacks a column",
    16: "check clickhouse-columns: the table lacks a column",
    44: "check clickhouse-columns",
    47: "check clickhouse-columns",
    60: "create the table: 'peavey options --create-table' prints a statement",
    62: "check the server's version: it does not take the statement",
    81: "create the database",
    115: "check the settings in the URL's query",
    164: "the user may only read",
    192: "check user and password",
    193: "check user and password",
    194: "check user and password",
    195: "the user may not connect from this address",
    291: "grant the user INSERT on the table",
    452: "check the settings in the URL's query",
    497: "grant the user INSERT on the table",
    516: "check user and password",
}
"""What needs attention, by code."""

_DATA = frozenset(
    {6, 25, 26, 27, 38, 41, 53, 69, 70, 72, 117, 130, 131, 321, 349, 376, 407, 441, 467, 469, 675, 676, 691}
)
"""Codes that are about a row: it cannot be read into the table's columns, or a constraint refuses it."""


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret] = ()
) -> SinkError | None:
    """Return what an answer means, as ``failure`` does; an exception counts by its code, also behind a 200."""
    code = _exception_code(headers, body)
    if code is None:
        return failure(site, status, headers, body, secrets)
    message = f"{site} answered {status}{shorten(body, secrets) or f': exception {code}'}"
    if advice := _ADVICE.get(code):
        return MisconfiguredError(f"{message} ({advice})")
    if code in _DATA:
        return RejectError(message)
    return RetryError(message, retry_after(headers))


def _exception_code(headers: Mapping[str, str], body: bytes) -> int | None:
    given = headers.get(_CODE_HEADER, "")
    if _NUMBER.fullmatch(given):
        return int(given)
    found = _CODE.search(body)
    return int(found[1]) if found and b"Exception" in body else None
