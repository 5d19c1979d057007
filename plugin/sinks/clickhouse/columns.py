"""What can be written into columns of a table, and the tables that take it.

The default is the table of OpenTelemetry's exporter for ClickHouse, which ClickStack uses: ``otel_logs``.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from plugin.config.parsing import hint, quote

OTEL_TABLE: Final = "otel_logs"

_STRING = "String CODEC(ZSTD(1))"
_CATEGORY = "LowCardinality(String) CODEC(ZSTD(1))"
_MAP = "Map(LowCardinality(String), String) CODEC(ZSTD(1))"

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "timestamp": "DateTime64(9) CODEC(Delta(8), ZSTD(1))",
        "line": _STRING,
        "source": _CATEGORY,
        "severity": "UInt8",
        "severity_text": _CATEGORY,
        "service": _CATEGORY,
        "container_id": _CATEGORY,
        "container_name": _CATEGORY,
        "image": _CATEGORY,
        "host": _CATEGORY,
        "tag": _CATEGORY,
        "offset": "UInt64",
        "id": _STRING,
        "resource": _MAP,
        "attributes": _MAP,
        "fields": _STRING,
    }
)
"""What a column can be filled with, and the type that `create_table` gives it."""

OTEL_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Timestamp": "timestamp",
        "SeverityText": "severity_text",
        "SeverityNumber": "severity",
        "ServiceName": "service",
        "Body": "line",
        "ResourceAttributes": "resource",
        "LogAttributes": "attributes",
    }
)

_EMPTY_IN_OTEL = {
    "TraceId": _STRING,
    "SpanId": _STRING,
    "TraceFlags": "UInt8",
    "ResourceSchemaUrl": _CATEGORY,
    "ScopeSchemaUrl": _CATEGORY,
    "ScopeName": _STRING,
    "ScopeVersion": _CATEGORY,
    "ScopeAttributes": _MAP,
}
_OTEL_INDEXES = """\
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_body Body TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8"""
_SETTINGS = "non_replicated_deduplication_window = 1000"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def parse_table(text: str) -> str:
    """Read the name of a table, with that of its database and a dot before it where one is wanted."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)?", text):
        raise ValueError(f"{quote(text)} is not the name of a table (examples: otel_logs, logs.docker)")
    return text


def parse_columns(text: str) -> Mapping[str, str]:
    """Read ``COLUMN=FIELD,COLUMN=FIELD``."""
    columns: dict[str, str] = {}
    for item in filter(str.strip, text.split(",")):
        column, separator, field = (part.strip() for part in item.partition("="))
        if not separator or not _NAME.fullmatch(column):
            raise ValueError(f"{quote(item)} is not a column and what goes into it (example: time=timestamp)")
        if field not in FIELDS:
            raise ValueError(
                f"{quote(field)} is nothing that a column can hold{hint(field, FIELDS)} (there are {', '.join(FIELDS)})"
            )
        if column in columns:
            raise ValueError(f"the column {quote(column)} is there twice")
        columns[column] = field
    if not columns:
        raise ValueError("there is no column (example: time=timestamp,message=line)")
    return MappingProxyType(columns)


def quoted_table(table: str) -> str:
    """Return a table's name as SQL has it."""
    return ".".join(f"`{part}`" for part in table.split("."))


def insert_query(table: str, columns: Mapping[str, str]) -> str:
    """Return the query before the rows."""
    names = ", ".join(f"`{column}`" for column in columns)
    return f"INSERT INTO {quoted_table(table)} ({names}) FORMAT JSONEachRow"


def create_table(table: str, columns: Mapping[str, str] = OTEL_COLUMNS) -> str:
    """Return the statement that makes a table for these columns: by default ClickStack's ``otel_logs``.

    It remembers the tokens of the last thousand batches, so that none is stored twice.
    """
    definitions = [f"    `{column}` {FIELDS[field]}" for column, field in columns.items()]
    time = next((column for column, field in columns.items() if field == "timestamp"), None)
    if columns == OTEL_COLUMNS:
        definitions.insert(1, "    `TimestampTime` DateTime DEFAULT toDateTime(Timestamp)")
        definitions += [f"    `{column}` {kind}" for column, kind in _EMPTY_IN_OTEL.items()]
        definitions.append(_OTEL_INDEXES)
        order = "ServiceName, TimestampTime, Timestamp"
        clauses = [
            "PARTITION BY toDate(TimestampTime)",
            "PRIMARY KEY (ServiceName, TimestampTime)",
            f"ORDER BY ({order})",
            "TTL TimestampTime + toIntervalDay(30)",
            f"SETTINGS ttl_only_drop_parts = 1, {_SETTINGS}",
        ]
    else:
        names = [column for column, field in columns.items() if field in ("service", "container_name")]
        order = ", ".join(f"`{column}`" for column in [*names, *([time] if time else [])]) or "tuple()"
        clauses = [f"PARTITION BY toDate(`{time}`)"] if time else []
        clauses += [f"ORDER BY ({order})" if order != "tuple()" else "ORDER BY tuple()", f"SETTINGS {_SETTINGS}"]
    body = ",\n".join(definitions)
    return f"CREATE TABLE IF NOT EXISTS {quoted_table(table)}\n(\n{body}\n)\nENGINE = MergeTree\n" + "\n".join(clauses)
