"""The options of the sink ``awslogs``: those of Docker's driver, and how AWS is reached."""

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from plugin.config import types
from plugin.config.common_options import RecordOptions
from plugin.config.parsing import quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.transform_options import TransformOptions
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import TagError, render_tag
from plugin.sinks.transport.aws.options import AwsOptions
from plugin.sinks.transport.http.options import HttpConnectionOptions, timeout_option
from plugin.sinks.transport.http.url import HttpUrl, parse_url

EMF = "json/emf"
_GROUP = re.compile(r"[\w./#-]{1,512}", re.ASCII)
_STREAM = re.compile(r"[^:*]{1,512}", re.DOTALL)


def stream_fault(name: str) -> str:
    """Return why CloudWatch Logs takes no log stream of this name, empty if it does."""
    if _STREAM.fullmatch(name):
        return ""
    return f"{quote(name)} is not the name of a log stream (expected: 1 to 512 characters, without : and *)"


def _parse_group(text: str) -> str:
    if not _GROUP.fullmatch(text):
        raise ValueError(
            f"{quote(text)} is not the name of a log group (expected: letters, digits and . _ - / #, at most 512,"
            " such as /docker/shop)"
        )
    return text


def _parse_stream(text: str) -> str:
    if fault := stream_fault(text):
        raise ValueError(fault)
    return text


def _parse_endpoint(text: str) -> HttpUrl:
    return parse_url(text if "://" in text else f"https://{text}")


def _parse_uri(text: str) -> str:
    if not text.startswith("/") or not text.isprintable() or " " in text:
        raise ValueError(f"{quote(text)} is not a path (expected: such as /v2/credentials/4711)")
    return text


class _ConnectionOptions(HttpConnectionOptions):
    """How AWS is reached; it may take longer than others."""

    timeout = timeout_option("timeout", "30s")


class AwslogsOptions(SinkOptions):
    """A log group, the stream in it, and the account that it is of."""

    name = "awslogs"
    prefix = "awslogs-"
    help = "Writes to Amazon CloudWatch Logs, as Docker's awslogs driver does."
    acknowledged = "CloudWatch Logs has taken the events; those that it refuses, it has named."
    defaults: ClassVar[Mapping[str, str]] = {"tag": "{{.FullID}}", "batch-wait": "5s"}

    group: Option[str] = Option(
        name="awslogs-group",
        kind=Kind(parse=_parse_group, accepts="name of a log group"),
        required=True,
        help="The log group.",
    )
    stream: Option[str | None] = Option(
        name="awslogs-stream",
        kind=Kind(parse=_parse_stream, accepts="name of a log stream"),
        shown_default="what tag gives",
        help="The log stream, for all containers that have this option; without it, tag names one for each.",
    )
    create_group = Option(
        name="awslogs-create-group",
        kind=types.BOOLEAN,
        default="false",
        help="Whether a log group that is not there is created.",
    )
    create_stream = Option(
        name="awslogs-create-stream",
        kind=types.BOOLEAN,
        default="true",
        help="Whether a log stream that is not there is created.",
    )
    endpoint: Option[HttpUrl | None] = Option(
        name="awslogs-endpoint",
        kind=Kind(parse=_parse_endpoint, accepts="an http:// or https:// URL"),
        shown_default="that of the region",
        help="The API, such as a VPC endpoint, https://vpce-4711.logs.eu-central-1.vpce.amazonaws.com.",
    )
    format: Option[str | None] = Option(
        name="awslogs-format",
        kind=types.choice(EMF),
        shown_default="none",
        help="json/emf: lines are in CloudWatch's embedded metric format, and metrics are extracted from them.",
    )
    credentials_endpoint: Option[str | None] = Option(
        name="awslogs-credentials-endpoint",
        kind=Kind(parse=_parse_uri, accepts="path such as /v2/credentials/4711"),
        shown_default="none",
        help="The path at which the endpoint of ECS, http://169.254.170.2, gives out credentials.",
    )
    force_flush_interval = Option(
        name="awslogs-force-flush-interval-seconds",
        kind=types.integer(low=1, high=86_400),
        shown_default="5",
        stands_for="batch-wait",
        help="How many seconds lines are collected before a batch is sent that is not full: batch-wait.",
    )
    max_buffered_events = Option(
        name="awslogs-max-buffered-events",
        kind=types.integer(low=1),
        help="Docker's buffer in memory.",
        superseded="lines wait in the journal, on disk, within buffer-limit",
    )
    account = Nested(AwsOptions, "awslogs-")
    connection = Nested(_ConnectionOptions, "awslogs-")

    @property
    def destination(self) -> str:
        """Where it sends to: the endpoint or the region, and the group."""
        return f"{self.endpoint or self.account.region or '-'}/{self.group.lstrip('/')}"

    def check(self) -> Iterator[str]:
        """Yield what does not go together."""
        shaping = TransformOptions(self._values)
        if self.format and (shaping.begins_event or shaping.multiline or shaping.parse or shaping.parse_pattern):
            yield (
                f"log-opt awslogs-format={self.format} is for lines as they are printed: it does not go together with "
                "awslogs-datetime-format, awslogs-multiline-pattern, others that join lines, and parse"
            )
        yield from super().check()

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield why the stream cannot be named for this container."""
        if self.stream is None:
            try:
                fault = stream_fault(render_tag(RecordOptions(self._values).tag, info))
            except TagError:
                fault = ""  # that is a fault of the tag, whatever the sink
            if fault:
                yield f"log-opt 'tag': {fault}"
        yield from super().check_start(info)


OPTIONS = AwslogsOptions
