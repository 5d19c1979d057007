"""The options of the sink ``elasticsearch``."""

from collections.abc import Iterator

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Nested, Option, SinkOptions
from plugin.config.secrets import Secret
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.docker.tag import Tag, TagError, compile_tag
from plugin.sinks.elasticsearch.index_names import index_name
from plugin.sinks.transport.http.headers import HEADERS_KIND, Headers
from plugin.sinks.transport.http.options import HttpClientOptions, timeout_option
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl


def _parse_index(text: str) -> Tag:
    tag = compile_tag(text)
    if "{{" not in text and index_name(text) != text:
        raise ValueError(
            f"{quote(text)} is not the name of a data stream or index (expected: small letters, no blanks, none of"
            f' \\ / * ? " < > | , # : and not - _ + first, such as {quote(index_name(text))})'
        )
    return tag


class _ClientOptions(HttpClientOptions):
    """How the server is spoken to; it may take longer than others."""

    timeout = timeout_option("timeout", "30s")


class ElasticsearchOptions(SinkOptions):
    """A cluster, and where in it documents go."""

    name = "elasticsearch"
    prefix = "elasticsearch-"
    help = "Writes to Elasticsearch or OpenSearch, or to another server with their bulk API, each line exactly once."
    acknowledged = "Elasticsearch has answered for each document that it is stored: in the primary shard's translog."

    url: Option[HttpUrl] = Option(
        name="elasticsearch-url",
        kind=URL_KIND,
        required=True,
        help=(
            "The cluster, such as https://user:password@es.example.com:9200; /_bulk is added to its path. A query is "
            "sent along."
        ),
    )
    index: Option[Tag] = Option(
        name="elasticsearch-index",
        kind=Kind(parse=_parse_index, accepts="Go template"),
        default="logs-docker-default",
        help=(
            "The data stream or index, as a template like tag: logs-{{.Name}}-default. What it gives is made a valid "
            "name: small letters, _ for what is not allowed."
        ),
    )
    api_key: Option[Secret | None] = Option(
        name="elasticsearch-api-key",
        kind=types.SECRET,
        shown_default="none",
        help="An API key, as Elasticsearch encodes it, or as ID:KEY.",
    )
    pipeline = Option(
        name="elasticsearch-pipeline",
        kind=types.TEXT,
        default="",
        shown_default="the index's",
        help="The ingest pipeline that documents go through.",
    )
    compression = Option(
        name="elasticsearch-compression",
        kind=types.choice("none", "gzip"),
        default="none",
        help="How requests are compressed: gzip makes them about ten times smaller, and costs processor time here.",
    )
    headers: Option[Headers | None] = Option(
        name="elasticsearch-headers",
        kind=HEADERS_KIND,
        shown_default="none",
        help="Further headers to send, such as X-Found-Cluster=….",
    )
    http = Nested(_ClientOptions, "elasticsearch-")

    @property
    def destination(self) -> str:
        """The server, without user and path."""
        return self.url.site

    def check(self) -> Iterator[str]:
        """Yield what does not go together."""
        http = self.http
        if self.api_key is not None and (http.username or http.password is not None or http.bearer_token is not None):
            yield "elasticsearch-api-key is given with a user or a token: Elasticsearch takes one of them"
        yield from super().check()

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield why the index cannot be named for this container."""
        try:
            self.index.render(info)
        except TagError as error:
            yield f"log-opt 'elasticsearch-index': {error}"
        yield from super().check_start(info)


OPTIONS = ElasticsearchOptions
