"""The options of the sink ``gcplogs``: those of Docker's driver, and how Google Cloud is reached."""

import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote as percent_encoded

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Nested, Option, Options, SinkOptions
from plugin.config.types import Kind
from plugin.sinks.gcplogs.credentials import CREDENTIALS, AuthorizedUser, ServiceAccount
from plugin.sinks.transport.http.options import proxy_option, timeout_option
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl, parse_url
from plugin.sinks.transport.tls.options import TlsOptions

_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{0,61}[a-z0-9]|[0-9]{1,20}", re.ASCII)
_LOG = re.compile(r"[A-Za-z0-9/_.-]{1,511}", re.ASCII)


def _parse_project(text: str) -> str:
    if not _PROJECT.fullmatch(text):
        raise ValueError(
            f"{quote(text)} is not a project's id (expected: small letters, digits and -, such as shop-4711)"
        )
    return text


def _parse_log(text: str) -> str:
    if not _LOG.fullmatch(text):
        raise ValueError(f"{quote(text)} is not a log's id (expected: letters, digits and / _ - . , at most 511)")
    return text


# Nothing of it is secret: the credentials are an option of their own.
_URL: Kind[HttpUrl] = Kind(parse=parse_url, accepts=URL_KIND.accepts)


class ConnectionOptions(Options):
    """How Google Cloud is reached."""

    timeout = timeout_option("timeout", "30s")
    proxy_url = proxy_option("proxy-url")
    tls = Nested(TlsOptions, "tls-")

    def settings(self, url: HttpUrl, headers: Mapping[str, str]) -> HttpSettings:
        """Make the client's settings for one server."""
        tls = self.tls
        return HttpSettings(
            url=url,
            timeout=self.timeout,
            headers=headers,
            proxy=self.proxy_url,
            ca=tls.ca,
            cert=tls.cert,
            key=tls.key,
            verify=not tls.skip_verify,
        )


class GcplogsOptions(SinkOptions):
    """A project, and what entries say of the machine."""

    name = "gcplogs"
    prefix = "gcp-"
    help = "Writes to Google Cloud Logging, as Docker's gcplogs driver does."
    acknowledged = "Cloud Logging has taken the entries; it shows one that it was sent twice only once."
    defaults: ClassVar[Mapping[str, str]] = {"tag": ""}

    project: Option[str | None] = Option(
        name="gcp-project",
        kind=Kind(parse=_parse_project, accepts="project id such as shop-4711"),
        shown_default="that of the credentials, else the instance's",
        help="The project whose log it is.",
    )
    log_cmd = Option(
        name="gcp-log-cmd",
        kind=types.BOOLEAN,
        default="false",
        help="Whether entries say which command the container was started with.",
    )
    meta_zone = Option(
        name="gcp-meta-zone",
        kind=types.TEXT,
        default="",
        shown_default="the instance's",
        help="The zone of the machine.",
    )
    meta_name = Option(
        name="gcp-meta-name",
        kind=types.TEXT,
        default="",
        shown_default="the instance's",
        help="The name of the machine.",
    )
    meta_id = Option(
        name="gcp-meta-id",
        kind=types.TEXT,
        default="",
        shown_default="the instance's",
        help="The id of the machine.",
    )
    log_name = Option(
        name="gcp-log-name",
        kind=Kind(parse=_parse_log, accepts="id of a log"),
        default="gcplogs-docker-driver",
        help="The log that entries are written to; the default is that of Docker's driver.",
    )
    credentials: Option[ServiceAccount | AuthorizedUser | None] = Option(
        name="gcp-credentials",
        kind=CREDENTIALS,
        shown_default="the file that GOOGLE_APPLICATION_CREDENTIALS names, else the instance's service account",
        help="A service account's key, or a person's credentials from gcloud, as JSON.",
    )
    compression = Option(
        name="gcp-compression",
        kind=types.choice("gzip", "none"),
        default="gzip",
        help="How requests are compressed: gzip makes them about ten times smaller.",
    )
    endpoint = Option(
        name="gcp-endpoint",
        kind=_URL,
        default="https://logging.googleapis.com",
        help="The API, such as that of a region, https://logging.europe-west3.rep.googleapis.com.",
    )
    metadata_url = Option(
        name="gcp-metadata-url",
        kind=_URL,
        default="http://metadata.google.internal",
        help="The metadata server of the instance.",
    )
    connection = Nested(ConnectionOptions, "gcp-")

    @property
    def destination(self) -> str:
        """Where it sends to: the API, the project where it is given, and the log."""
        project = self.project or (self.credentials.project if self.credentials else "")
        return f"{self.endpoint.site}/{project or '-'}/{percent_encoded(self.log_name, safe='')}"


OPTIONS = GcplogsOptions
