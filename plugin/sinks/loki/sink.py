"""The sink ``loki``: Grafana Loki's push API, and whatever else speaks it.

Protocol: https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs; options and labels: the Docker
driver in grafana/loki, ``clients/cmd/docker-driver``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from plugin.config import types
from plugin.config.options import SinkChoice
from plugin.config.schema import Option, SinkOptions
from plugin.config.types import Kind
from plugin.sinks.base import MisconfiguredError, Origin, Record, RejectError, Sink, TooLargeError
from plugin.sinks.loki.labels import (
    ExternalLabels,
    container_labels,
    container_metadata,
    parse_external_labels,
    part_labels,
)
from plugin.sinks.loki.relabel import Rule, parse_rules
from plugin.sinks.transport.http.lazy_client import make_client
from plugin.sinks.transport.http.options import http_options
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl

if TYPE_CHECKING:
    from plugin.sinks.loki.encoder import ContainerStream

_PATH = "/loki/api/v1/push"
_SOURCES = ("stdout", "stderr")
# Loki takes no push of more than ingestion_burst_size_mb, 6 MiB of lines and metadata where nobody has set it, however
# long one waits. Short lines can be there within one batch, since the metadata comes with each of them.
_LARGEST_PUSH = 4 << 20
_NO_FILES = "Peavey's journal is what docker logs reads; its bounds are max-size and max-file"

Prepared = Mapping[str, "ContainerStream"]


def _refuse_stages(_text: str) -> NoReturn:
    raise ValueError(
        "pipeline stages are not supported: leave the option away, and parse lines in queries (LogQL) or in an agent"
        " before Loki"
    )


_STAGES: Kind[None] = Kind(parse=_refuse_stages, accepts="nothing: pipeline stages are not supported")

URL: Option[HttpUrl] = Option(
    name="loki-url",
    kind=URL_KIND,
    required=True,
    help=(
        f"Where to push to, such as https://user:password@logs.example.com{_PATH}. Used as given; {_PATH} is added "
        "where there is no path."
    ),
)
EXTERNAL_LABELS: Option[ExternalLabels] = Option(
    name="loki-external-labels",
    kind=Kind(parse=parse_external_labels, accepts="NAME=TEMPLATE with commas"),
    default="",
    shown_default="container_name={{.Name}}",
    help=(
        "Labels besides those that are always there, as templates like tag. They add to container_name; an empty "
        "value takes a label away."
    ),
)
RELABEL_CONFIG: Option[tuple[Rule, ...]] = Option(
    name="loki-relabel-config",
    kind=Kind(parse=parse_rules, accepts="Prometheus relabel rules in YAML"),
    default="",
    shown_default="none",
    help="Rules that change the labels of a container, or drop it, once when its logging begins.",
)
TENANT_ID = Option(
    name="loki-tenant-id", kind=types.TEXT, default="", shown_default="none", help="Sent as X-Scope-OrgID."
)
STRUCTURED_METADATA = Option(
    name="loki-structured-metadata",
    kind=types.BOOLEAN,
    default="true",
    help=(
        "Whether lines carry container_id, image and, where it is set, tag as structured metadata. Loki before 3.0 "
        "takes none unless its limits_config allows it."
    ),
)
MAX_LABELS = Option(
    name="loki-max-labels",
    kind=types.integer(low=2),
    default="15",
    help=(
        "How many labels a stream may have (Loki's limits_config: max_label_names_per_series): it refuses all lines of "
        "one with more. Chosen labels and variables beyond it, and values above 2 KiB, go along as structured metadata."
    ),
)
MAX_LINE_SIZE = Option(
    name="loki-max-line-size",
    kind=types.size(base=1024, minimum=1024),
    default="256k",
    help="Longer lines are sent in several entries, since Loki refuses them (its limits_config: max_line_size).",
)
BATCH_WAIT: Option[float | None] = Option(
    name="loki-batch-wait",
    kind=types.duration(),
    stands_for="batch-wait",
    shown_default="1s",
    help="batch-wait, as Grafana's driver calls it.",
)
BATCH_SIZE: Option[int | None] = Option(
    name="loki-batch-size",
    kind=types.integer(low=1),
    stands_for="batch-size",
    shown_default="1048576",
    help="batch-size in bytes, as Grafana's driver calls it.",
)
MIN_BACKOFF: Option[float | None] = Option(
    name="loki-min-backoff",
    kind=types.duration(minimum=0.001),
    stands_for="retry-min",
    shown_default="500ms",
    help="retry-min, as Grafana's driver calls it.",
)
MAX_BACKOFF: Option[float | None] = Option(
    name="loki-max-backoff",
    kind=types.duration(minimum=0.001),
    stands_for="retry-max",
    shown_default="5m",
    help="retry-max, as Grafana's driver calls it.",
)
HTTP = http_options("loki-")

_OTHERS: tuple[Option[Any], ...] = (
    Option(
        name="loki-retries",
        kind=types.integer(),
        help="After how many attempts Grafana's driver drops a batch.",
        superseded="batches are sent again until Loki takes them: the journal holds them",
    ),
    Option(name="loki-pipeline-stages", kind=_STAGES, help="Refused: pipeline stages are not supported."),
    Option(name="loki-pipeline-stage-file", kind=_STAGES, help="Refused: pipeline stages are not supported."),
    Option(
        name="no-file", kind=types.BOOLEAN, help="Whether Grafana's driver keeps no local copy.", superseded=_NO_FILES
    ),
    Option(
        name="keep-file",
        kind=types.BOOLEAN,
        help="Whether Grafana's driver keeps its local copy when the container stops.",
        superseded=_NO_FILES,
    ),
)


class LokiSink(Sink[Prepared]):
    """Pushes snappy-compressed protobuf; acknowledged by 2xx."""

    declaration = SinkOptions(
        name="loki",
        prefix="loki-",
        help="Pushes to Grafana Loki, or to another server with its push API.",
        options=(
            URL,
            EXTERNAL_LABELS,
            RELABEL_CONFIG,
            TENANT_ID,
            STRUCTURED_METADATA,
            MAX_LABELS,
            MAX_LINE_SIZE,
            BATCH_WAIT,
            BATCH_SIZE,
            MIN_BACKOFF,
            MAX_BACKOFF,
            *HTTP,
            *_OTHERS,
        ),
        defaults={"batch-size": "1048576"},
        check=HTTP.faults,
    )

    def __init__(self, choice: SinkChoice) -> None:
        """Take the options; see `Sink`."""
        from plugin.sinks.loki import encoder  # noqa: PLC0415 (its tables and compressor take 5 MB)

        self._push = encoder
        self._external = choice.get(EXTERNAL_LABELS)
        self._rules = choice.get(RELABEL_CONFIG)
        self._with_metadata = choice.get(STRUCTURED_METADATA)
        self._most_labels = choice.get(MAX_LABELS) - 1  # without source
        self._longest = choice.get(MAX_LINE_SIZE)
        headers = {"Content-Type": "application/x-protobuf"}
        if tenant := choice.get(TENANT_ID):
            headers["X-Scope-OrgID"] = tenant
        url = choice.get(URL).with_default_path(_PATH)
        self._client = make_client(HTTP.settings(choice, url, headers))

    def prepare(self, origin: Origin) -> Prepared:
        """Make the streams of a container by source; none if a rule drops it."""
        labels = container_labels(origin, self._external, self._rules)
        if labels is None:
            return {}
        push = self._push
        labels, others = part_labels(labels, origin.attributes, self._most_labels)
        metadata = push.metadata_fields({**others, **container_metadata(origin)}) if self._with_metadata else b""
        return {
            source: push.ContainerStream(push.labels_field(labels | {"source": source}), metadata)
            for source in _SOURCES
        }

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a push request; empty if all records are blank or of containers that a rule drops.

        Raises `TooLargeError` for records that Loki would never take in one push, though it takes each of them.
        """
        push = self._push.encode_push(records, self._longest)
        if len(push) > _LARGEST_PUSH and len(records) > 1:
            raise TooLargeError(
                f"{len(push)} bytes are too many for one push to Loki, at most {_LARGEST_PUSH} are sent"
            )
        return self._push.compress(push)

    async def send(self, payload: bytes) -> None:
        """Push; there is nothing to do for an empty payload."""
        if not payload:
            return
        try:
            await self._client.send(payload)
        except RejectError as error:
            if "structured metadata" in str(error) and "disallowed" in str(error):
                raise MisconfiguredError(f"{error} (log-opt loki-structured-metadata=false sends none)") from error
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


SINK = LokiSink
