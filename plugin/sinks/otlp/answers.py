"""What an answer of OTLP says: the rules for HTTP, and the part of a request that was refused.

Source: "OTLP/HTTP Response" in OpenTelemetry's protocol specification; messages: ``collector/logs/v1`` in
open-telemetry/opentelemetry-proto, ``google.rpc.Status``::

    ExportLogsServiceResponse { 1 partial_success { 1 rejected_log_records (int64)  2 error_message } }
    Status                    { 1 code  2 message }
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple

import orjson

from plugin.config.secrets import Secret
from plugin.sinks.base import RejectError, RetryError, SinkError
from plugin.sinks.encoding.protobuf import read_fields
from plugin.sinks.encoding.text import text
from plugin.sinks.transport.http.responses import failure

_RETRIED = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_PROTOBUF = "application/x-protobuf"
_is_whole_number = re.compile(r"\d{1,18}").fullmatch


class Partial(NamedTuple):
    """What a server says of a request that it has taken: how many records it refuses, and why or what else."""

    refused: int
    message: str


def read_partial_success(answer: bytes) -> Partial:
    """Read the answer to a request that was taken, in protobuf or JSON; what is neither says nothing."""
    try:
        found = _from_json(answer) if answer.lstrip().startswith(b"{") else _from_protobuf(answer)
    except ValueError:
        return Partial(0, "")
    return found


def _from_protobuf(answer: bytes) -> Partial:
    refused, message = 0, ""
    for number, content in read_fields(answer):
        if number == 1 and isinstance(content, bytes):
            for inner, value in read_fields(content):
                if inner == 1 and isinstance(value, int):
                    refused = value if value < 2**63 else 0  # a negative one makes no sense
                elif inner == 2 and isinstance(value, bytes):
                    message = text(value)
    return Partial(refused, message)


def _from_json(answer: bytes) -> Partial:
    content = orjson.loads(answer)
    partial = content.get("partialSuccess")
    if not isinstance(partial, dict):
        return Partial(0, "")
    refused = str(partial.get("rejectedLogRecords") or 0)  # 64 bits are a text in protobuf's JSON
    return Partial(int(refused) if _is_whole_number(refused) else 0, str(partial.get("errorMessage") or ""))


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret] = ()
) -> SinkError | None:
    """Return the failure that the answer to a request stands for, None for success; takes the place of `failure`.

    A server of OTLP, which is known by the message in its answer, wants only 429, 502, 503 and 504 to be tried again:
    with any other 5xx it refuses these very records. Without such a message, something else has answered or failed.
    """
    speaks = headers.get("Content-Type", "").partition(";")[0].strip() == _PROTOBUF
    fault = failure(site, status, headers, _message(body) if speaks else body, secrets)
    if speaks and isinstance(fault, RetryError) and status not in _RETRIED:
        return RejectError(str(fault))
    return fault


def _message(body: bytes) -> bytes:
    """Return the message of a ``Status``, or the body if it has none."""
    try:
        return next((value for number, value in read_fields(body) if number == 2 and isinstance(value, bytes)), body)
    except ValueError:
        return body
