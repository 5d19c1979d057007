"""The options of the sink ``loki``: those of Grafana's Docker driver, and our own."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from plugin.config import types
from plugin.config.common_options import LARGEST_BATCH, LONGEST_RETRY
from plugin.config.parsing import quote
from plugin.config.pipeline_stages import PipelineStages, makes_metadata, parse_stages, read_stages
from plugin.config.pipeline_stages.model import Stage
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import TagError
from plugin.sinks.loki.labels import ExternalLabels, parse_external_labels
from plugin.sinks.loki.relabel import Rule, parse_rules
from plugin.sinks.transport.http.headers import HEADER_TEXT
from plugin.sinks.transport.http.options import HttpClientOptions
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl

PUSH_PATH = "/loki/api/v1/push"


_NO_FILES = "Peavey's journal is what docker logs reads; its bounds are max-size and max-file"


class LokiOptions(SinkOptions):
    """A server, and the labels of streams."""

    name = "loki"
    prefix = "loki-"
    help = "Pushes to Grafana Loki, or to another server with its push API."
    acknowledged = "Loki has answered 2xx: its ingesters have the lines, by its own settings of durability."
    defaults: ClassVar[Mapping[str, str]] = {"batch-size": "1048576"}

    url: Option[HttpUrl] = Option(
        name="loki-url",
        kind=URL_KIND,
        required=True,
        help=(
            f"Where to push to, such as https://user:password@logs.example.com{PUSH_PATH}. Used as given; "
            f"{PUSH_PATH} is added "
            "where there is no path."
        ),
    )
    external_labels: Option[ExternalLabels] = Option(
        name="loki-external-labels",
        kind=Kind(parse=parse_external_labels, accepts="NAME=TEMPLATE with commas"),
        default="",
        shown_default="container_name={{.Name}}",
        help=(
            "Labels besides those that are always there, as templates like tag. They add to container_name; an empty "
            "value takes a label away."
        ),
    )
    relabel_config: Option[tuple[Rule, ...]] = Option(
        name="loki-relabel-config",
        kind=Kind(parse=parse_rules, accepts="Prometheus relabel rules in YAML"),
        default="",
        shown_default="none",
        help="Rules that change the labels of a container, or drop it, once when its logging begins.",
    )
    tenant_id = Option(
        name="loki-tenant-id", kind=HEADER_TEXT, default="", shown_default="none", help="Sent as X-Scope-OrgID."
    )
    structured_metadata = Option(
        name="loki-structured-metadata",
        kind=types.BOOLEAN,
        default="true",
        help=(
            "Whether lines carry container_id, image and, where it is set, tag as structured metadata. Loki before 3.0 "
            "takes none unless its limits_config allows it."
        ),
    )
    max_labels = Option(
        name="loki-max-labels",
        kind=types.integer(2, 1000),
        default="15",
        help=(
            "How many labels a stream may have (Loki's limits_config: max_label_names_per_series): it refuses all "
            "lines of "
            "one with more. Chosen labels and variables beyond it, and values above 2 KiB, go along as structured "
            "metadata."
        ),
    )
    max_line_size = Option(
        name="loki-max-line-size",
        kind=types.size(base=1024, minimum=1024, maximum=16 * 1024 * 1024),
        default="256k",
        help="Longer lines are sent in several entries, since Loki refuses them (its limits_config: max_line_size).",
    )
    single_streams = Option(
        name="loki-single-streams",
        kind=types.BOOLEAN,
        default="false",
        help=(
            "Whether every stream has a push of its own. Loki answers for the last stream of a push alone; without "
            "this, those that are known to be at risk of a refusal are sent by themselves, and the others together."
        ),
    )
    batch_wait: Option[float | None] = Option(
        name="loki-batch-wait",
        kind=types.duration(maximum=3600),
        stands_for="batch-wait",
        shown_default="1s",
        help="batch-wait, as Grafana's driver calls it.",
    )
    batch_size: Option[int | None] = Option(
        name="loki-batch-size",
        kind=types.integer(1, LARGEST_BATCH),
        stands_for="batch-size",
        shown_default="1048576",
        help="batch-size in bytes, as Grafana's driver calls it.",
    )
    min_backoff: Option[float | None] = Option(
        name="loki-min-backoff",
        kind=types.duration(minimum=0.001, maximum=LONGEST_RETRY),
        stands_for="retry-min",
        shown_default="500ms",
        help="retry-min, as Grafana's driver calls it.",
    )
    max_backoff: Option[float | None] = Option(
        name="loki-max-backoff",
        kind=types.duration(minimum=0.001, maximum=LONGEST_RETRY),
        stands_for="retry-max",
        shown_default="5m",
        help="retry-max, as Grafana's driver calls it.",
    )
    http = Nested(HttpClientOptions, "loki-")
    retries: Option[int | None] = Option(
        name="loki-retries",
        kind=types.integer(),
        help="After how many attempts Grafana's driver drops a batch.",
        superseded="batches are sent again until Loki takes them: the journal holds them",
    )
    pipeline_stages: Option[PipelineStages] = Option(
        name="loki-pipeline-stages",
        kind=Kind(parse=parse_stages, accepts="Promtail's pipeline stages in YAML"),
        default="",
        shown_default="none",
        help=(
            "What Promtail's stages make of each record, after everything else: labels, structured metadata, another "
            "line or time."
        ),
    )
    pipeline_stage_file: Option[Path | None] = Option(
        name="loki-pipeline-stage-file",
        kind=types.FILE,
        help="A file of such stages, read when the container's delivery begins.",
    )
    no_file: Option[bool | None] = Option(
        name="no-file", kind=types.BOOLEAN, help="Whether Grafana's driver keeps no local copy.", superseded=_NO_FILES
    )
    keep_file: Option[bool | None] = Option(
        name="keep-file",
        kind=types.BOOLEAN,
        help="Whether Grafana's driver keeps its local copy when the container stops.",
        superseded=_NO_FILES,
    )

    @property
    def destination(self) -> str:
        """Where it sends to: scheme, host and port."""
        return self.url.site

    def read_stages(self) -> Sequence[Stage]:
        """Return the stages, those of the file if one is given; raises `ValueError` if that cannot be used."""
        if self.pipeline_stage_file is None:
            return self.pipeline_stages.stages
        try:
            return read_stages(str(self.pipeline_stage_file)).stages
        except ValueError as error:
            raise ValueError(f"log-opt loki-pipeline-stage-file: {error}") from None

    def check(self) -> Iterator[str]:
        """Yield the faults of values that do not go together."""
        yield from super().check()
        if self.pipeline_stages and self.pipeline_stage_file is not None:
            yield "log-opts loki-pipeline-stages and loki-pipeline-stage-file exclude each other: give one of them"
        if not self.structured_metadata and makes_metadata(self.pipeline_stages.stages):
            yield "log-opt loki-pipeline-stages makes structured metadata; loki-structured-metadata=false sends none"

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield the labels that cannot be filled in for this container, and the file of stages that cannot be used."""
        if self.pipeline_stage_file is not None:
            try:
                self.read_stages()
            except ValueError as error:
                yield str(error)
        for name, template in self.external_labels:
            try:
                template.render(info)
            except TagError as error:
                yield f"label {quote(name)} of log-opt 'loki-external-labels': {error}"
        yield from super().check_start(info)


OPTIONS = LokiOptions
