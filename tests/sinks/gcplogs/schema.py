"""The part of Google's discovery document of the Cloud Logging API v2 that entries.write takes, and what checks it.

Source: ``logging.v2.json`` of https://logging.googleapis.com/$discovery/rest?version=v2; descriptions left out.
"""

import re
from collections.abc import Mapping
from typing import Any

_SEVERITIES = ["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"]
_TEXT = {"type": "string"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_ANYTHING = {"type": "object", "additionalProperties": {"type": "any"}}
_INT32 = {"type": "integer", "format": "int32"}
_BOOLEAN = {"type": "boolean"}

SCHEMAS: dict[str, dict[str, Any]] = {
    "WriteLogEntriesRequest": {
        "dryRun": _BOOLEAN,
        "entries": {"type": "array", "items": {"$ref": "LogEntry"}},
        "labels": _TEXTS,
        "logName": _TEXT,
        "partialSuccess": _BOOLEAN,
        "resource": {"$ref": "MonitoredResource"},
    },
    "MonitoredResource": {"labels": _TEXTS, "type": _TEXT},
    "LogEntry": {
        "insertId": _TEXT,
        "jsonPayload": _ANYTHING,
        "labels": _TEXTS,
        "logName": _TEXT,
        "protoPayload": _ANYTHING,
        "resource": {"$ref": "MonitoredResource"},
        "severity": {"type": "string", "enum": _SEVERITIES},
        "spanId": _TEXT,
        "split": {"$ref": "LogSplit"},
        "textPayload": _TEXT,
        "timestamp": {"type": "string", "format": "google-datetime"},
        "trace": _TEXT,
        "traceSampled": _BOOLEAN,
    },
    "LogSplit": {"index": _INT32, "totalSplits": _INT32, "uid": _TEXT},
}

_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_LOG_NAME = re.compile(r"projects/[a-z0-9:.-]+/logs/(?:[A-Za-z0-9_.-]|%2F){1,511}")
_PYTHON: dict[str, Any] = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}


class InvalidError(Exception):
    """What was sent is not as the schema has it."""


def check_request(request: Any) -> None:
    """Raise `InvalidError` for a request that is not valid as a whole."""
    _check("request", request, {"$ref": "WriteLogEntriesRequest"})
    name = request.get("logName", "")
    if not _LOG_NAME.fullmatch(name):
        raise InvalidError(f"Log name does not have a valid format: {name}")
    if not request.get("resource", {}).get("type"):
        raise InvalidError("A monitored resource must be specified for each log entry.")
    if not request.get("entries"):
        raise InvalidError("Log entries must be given")


def check_entry(entry: Mapping[str, Any]) -> None:
    """Raise `InvalidError` for an entry that is not taken: exactly one payload, sizes as on the page *Quotas*."""
    payloads = [name for name in ("textPayload", "jsonPayload", "protoPayload") if name in entry]
    if len(payloads) != 1:
        raise InvalidError(f"A log entry has one payload, not {payloads}")
    if (size := _size(entry)) > 256_000:
        raise InvalidError(f"Log entry with size {size} exceeds maximum size of 256.0K")
    if len(entry.get("labels", ())) > 64:
        raise InvalidError("Log entry has more than 64 labels")


def _check(at: str, value: Any, schema: Mapping[str, Any]) -> None:
    if reference := schema.get("$ref"):
        schema = {"type": "object", "properties": SCHEMAS[reference]}
    kind = schema["type"]
    if kind == "any":
        return
    if not isinstance(value, _PYTHON[kind]) or (kind == "integer" and isinstance(value, bool)):
        raise InvalidError(f"Invalid value at '{at}' ({kind}), {value!r:.80}")
    if kind == "array":
        for number, item in enumerate(value):
            _check(f"{at}[{number}]", item, schema["items"])
    elif kind == "object":
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if known is None:
                raise InvalidError(f"Invalid JSON payload received. Unknown name \"{name}\" at '{at}'")
            _check(f"{at}.{name}", inner, known)
    elif "enum" in schema and value not in schema["enum"]:
        raise InvalidError(f"Invalid value at '{at}' (enum), \"{value}\"")
    elif schema.get("format") == "google-datetime" and not _DATETIME.fullmatch(value):
        raise InvalidError(f"Invalid value at '{at}' (timestamp), \"{value}\"")


def _size(value: Any) -> int:
    """Return about how large a value is inside, names included."""
    if isinstance(value, str):
        return len(value.encode()) + 2
    if isinstance(value, dict):
        return sum(_size(name) + _size(inner) for name, inner in value.items())
    if isinstance(value, list):
        return sum(map(_size, value))
    return 9
