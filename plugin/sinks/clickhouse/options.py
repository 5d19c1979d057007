"""The options of the sink ``clickhouse``."""

from collections.abc import Iterator, Mapping

from plugin.config import types
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import Tag, TagError, compile_tag
from plugin.sinks.clickhouse.columns import OTEL_COLUMNS, OTEL_TABLE, parse_columns, parse_table
from plugin.sinks.transport.http.options import HttpClientOptions, timeout_option
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl


class _ClientOptions(HttpClientOptions):
    """How the server is spoken to; it may take longer than others."""

    timeout = timeout_option("timeout", "30s")


class ClickHouseOptions(SinkOptions):
    """A table, and what goes into its columns."""

    name = "clickhouse"
    prefix = "clickhouse-"
    help = "Inserts rows into a table of ClickHouse, by default ClickStack's otel_logs, each batch exactly once."
    acknowledged = "ClickHouse has written the rows to the table: on a replicated one, to one replica."

    url: Option[HttpUrl] = Option(
        name="clickhouse-url",
        kind=URL_KIND,
        required=True,
        help=(
            "The server's HTTP interface, such as https://user:password@ch.example.com:8443. Settings in its query are"
            " sent along: ?insert_quorum=2."
        ),
    )
    table = Option(
        name="clickhouse-table",
        kind=Kind[str](parse=parse_table, accepts="TABLE or DATABASE.TABLE"),
        default=OTEL_TABLE,
        help="The table. 'peavey options --create-table' prints a statement that makes it.",
    )
    columns: Option[Mapping[str, str]] = Option(
        name="clickhouse-columns",
        kind=Kind(parse=parse_columns, accepts="COLUMN=FIELD with commas"),
        default=",".join(f"{column}={field}" for column, field in OTEL_COLUMNS.items()),
        shown_default="those of otel_logs",
        help=(
            "What goes into which column: time=timestamp,message=line,name=container_name. Fields: timestamp, line, "
            "source, severity, severity_text, service, container_id, container_name, image, host, tag, offset, id, "
            "resource, attributes, fields."
        ),
    )
    service_name: Option[Tag | None] = Option(
        name="clickhouse-service-name",
        kind=Kind(parse=compile_tag, accepts="Go template"),
        shown_default="the service in Compose or Swarm, otherwise the container's name",
        help="The name of a container's service, as a template like tag.",
    )
    compression = Option(
        name="clickhouse-compression",
        kind=types.choice("none", "gzip", "zstd"),
        default="zstd",
        help="How requests are compressed.",
    )
    http = Nested(_ClientOptions, "clickhouse-")

    @property
    def destination(self) -> str:
        """The server and the table, without user and path."""
        return f"{self.url.site}/{self.table}"

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield why the service cannot be named for this container."""
        if self.service_name is not None:
            try:
                self.service_name.render(info)
            except TagError as error:
                yield f"log-opt 'clickhouse-service-name': {error}"
        yield from super().check_start(info)


OPTIONS = ClickHouseOptions
