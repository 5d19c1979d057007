"""The options of the sink ``s3``."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar

from yarl import URL

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import TagError
from plugin.sinks.s3.keys import KeyTemplate, parse_key
from plugin.sinks.transport.aws.endpoints import service_url
from plugin.sinks.transport.aws.options import AwsOptions
from plugin.sinks.transport.http.headers import HEADER_TEXT
from plugin.sinks.transport.http.options import HttpConnectionOptions, timeout_option
from plugin.sinks.transport.http.url import HttpUrl, parse_url

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_SMALLEST_PART = 5 * 1024 * 1024
_LARGEST_PART = 5 * 1024**3


def _parse_bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise ValueError(f"{quote(text)} is not the name of a bucket (example: my-logs)")
    return text


def _parse_endpoint(text: str) -> HttpUrl:
    url = parse_url(text)
    if url.authorization is not None:
        raise ValueError("it holds a user or a password: give s3-access-key-id and s3-secret-access-key instead")
    if url.target.raw_query_string:
        raise ValueError("it has a query, which S3 has no use for (example: http://127.0.0.1:9000)")
    return url


class _ConnectionOptions(HttpConnectionOptions):
    """How the server is spoken to; it may take longer than others."""

    timeout = timeout_option("timeout", "1m")


class S3Options(SinkOptions):
    """A bucket, and how objects in it are named and written."""

    name = "s3"
    prefix = "s3-"
    help = "Writes objects of lines as JSON into a bucket of S3, MinIO or the like, each line exactly once."
    acknowledged = "The server has stored the objects."
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType({"batch-wait": "1m", "batch-size": "8m"})

    bucket: Option[str] = Option(
        name="s3-bucket",
        kind=Kind(parse=_parse_bucket, accepts="name of a bucket"),
        required=True,
        help="The bucket, which must be there.",
    )
    endpoint: Option[HttpUrl | None] = Option(
        name="s3-endpoint",
        kind=Kind(parse=_parse_endpoint, accepts="an http:// or https:// URL with a host"),
        shown_default="https://s3.REGION.amazonaws.com",
        help="The server, where it is not Amazon's, such as http://127.0.0.1:9000.",
    )
    path_style: Option[bool | None] = Option(
        name="s3-path-style",
        kind=types.BOOLEAN,
        shown_default="true with s3-endpoint or a dot in the bucket's name, otherwise false",
        help="Whether the bucket is the first part of the URL's path, or of the host's name.",
    )
    key: Option[KeyTemplate] = Option(
        name="s3-key",
        kind=Kind(parse=parse_key, accepts="Go template with %Y %m %d %H"),
        default="docker/dt=%Y-%m-%d/{{.Hostname}}/{{.Name}}",
        help=(
            "The folders of objects, as a template like tag with the line's time in UTC: %Y, %m, %d, %H. The name that"
            " follows says which lines of which container there are."
        ),
    )
    compression = Option(
        name="s3-compression",
        kind=types.choice("none", "gzip", "zstd"),
        default="zstd",
        help="How objects are compressed; their names end with .gz or .zst.",
    )
    part_size = Option(
        name="s3-part-size",
        kind=types.size(1024, minimum=_SMALLEST_PART, maximum=_LARGEST_PART),
        default="16m",
        help="Objects that are larger are uploaded in parts of this size.",
    )
    storage_class = Option(
        name="s3-storage-class",
        kind=HEADER_TEXT,
        default="",
        shown_default="STANDARD",
        help="The class of storage, such as STANDARD_IA or GLACIER_IR.",
    )
    encryption = Option(
        name="s3-server-side-encryption",
        kind=types.choice("default", "AES256", "aws:kms", "aws:kms:dsse"),
        default="default",
        help="How the server encrypts objects: AES256 with its own keys, aws:kms with those of KMS; default: as the"
        " bucket has it.",
    )
    kms_key_id = Option(
        name="s3-kms-key-id",
        kind=HEADER_TEXT,
        default="",
        shown_default="the account's own",
        help="The id or ARN of the key for aws:kms.",
    )
    aws = Nested(AwsOptions, "s3-")
    http = Nested(_ConnectionOptions, "s3-")

    def bucket_url(self, region: str) -> HttpUrl:
        """Return the bucket's URL in a region, with a slash at its end."""
        target = (self.endpoint or parse_url(service_url("s3", region))).target
        by_path = self.path_style
        if by_path is None:
            by_path = self.endpoint is not None or "." in self.bucket
        path = target.raw_path.rstrip("/")
        if by_path:
            return HttpUrl(target.with_path(f"{path}/{self.bucket}/", encoded=True))
        port = "" if target.explicit_port is None else f":{target.explicit_port}"
        return HttpUrl(URL(f"{target.scheme}://{self.bucket}.{target.raw_host}{port}{path}/", encoded=True))

    @property
    def destination(self) -> str:
        """The bucket, behind the server where it is not Amazon's."""
        return f"{self.endpoint.site}/{self.bucket}" if self.endpoint else self.bucket

    def check(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.kms_key_id and not self.encryption.startswith("aws:kms"):
            yield "s3-kms-key-id is for s3-server-side-encryption=aws:kms"
        yield from super().check()

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield why keys cannot be made for this container."""
        try:
            self.key.render(info)
        except TagError as error:
            yield f"log-opt 's3-key': {error}"
        yield from super().check_start(info)


OPTIONS = S3Options
