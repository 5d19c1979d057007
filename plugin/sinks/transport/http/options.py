"""The options that sinks over HTTP have in common, with the sink's prefix before their names."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from plugin.config import types
from plugin.config.schema import Nested, Option, Options
from plugin.config.secrets import Secret
from plugin.sinks.transport.http.headers import HEADER_SECRET, Headers
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl, basic_authorization
from plugin.sinks.transport.tls.options import (
    TlsOptions,
    ca_option,
    cert_option,
    key_option,
    server_name_option,
    skip_verify_option,
)


def timeout_option(name: str, default: str) -> Option[float]:
    """Declare the time limit of a request."""
    return Option(
        name=name,
        kind=types.duration(minimum=0.1, maximum=3600),
        default=default,
        help="How long one request may take, until its answer is complete.",
    )


def proxy_option(name: str) -> Option[HttpUrl | None]:
    """Declare the proxy."""
    return Option(
        name=name,
        kind=URL_KIND,
        shown_default="what https_proxy, http_proxy and no_proxy say in the plugin's environment",
        help="The HTTP proxy to go through, with user and password in the URL where it wants them.",
    )


class _HttpTlsOptions(TlsOptions):
    """TLS by the names that drivers over HTTP have for it."""

    ca = ca_option("ca-file")
    cert = cert_option("cert-file")
    key = key_option("key-file")
    skip_verify = skip_verify_option("insecure-skip-verify")


class HttpConnectionOptions(Options):
    """Time limit, proxy and TLS, for a sink to nest by its prefix."""

    timeout = timeout_option("timeout", "10s")
    proxy_url = proxy_option("proxy-url")
    tls: Nested[TlsOptions] = Nested(_HttpTlsOptions, "tls-")
    server_name = server_name_option("tls-server-name")

    def settings(self, url: HttpUrl, headers: Mapping[str, str], given_headers: Headers | None = None) -> HttpSettings:
        """Make the client's settings of the options that were chosen."""
        tls = self.tls
        return HttpSettings(
            url=url,
            timeout=self.timeout,
            headers=headers,
            given_headers=given_headers or Headers(),
            proxy=self.proxy_url,
            ca=tls.ca,
            cert=tls.cert,
            key=tls.key,
            server_name=self.server_name,
            verify=not tls.skip_verify,
        )


class HttpClientOptions(HttpConnectionOptions):
    """The same, and authentication by user and password or by a token."""

    username = Option(
        name="username",
        kind=types.TEXT,
        default="",
        shown_default="that of the URL",
        help="The user for basic authentication.",
    )
    password: Option[Secret | None] = Option(
        name="password",
        kind=types.SECRET,
        shown_default="that of the URL",
        help="The password for basic authentication.",
    )
    bearer_token: Option[Secret | None] = Option(
        name="bearer-token",
        kind=HEADER_SECRET,
        shown_default="none",
        help="A token that is sent as Authorization: Bearer.",
    )

    def check(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.bearer_token is not None and (self.username or self.password is not None):
            token, user = (self.name_of(o) for o in (HttpClientOptions.bearer_token, HttpClientOptions.username))
            yield f"{token} and {user} are both given: the server takes one of them"
        yield from super().check()

    def settings(self, url: HttpUrl, headers: Mapping[str, str], given_headers: Headers | None = None) -> HttpSettings:
        """Make the client's settings of the options that were chosen."""
        password, token = self.password, self.bearer_token
        authorization = None
        if token is not None:
            authorization = Secret(f"Bearer {token.reveal()}")
        elif self.username or password is not None:
            authorization = basic_authorization(self.username, password or Secret(""))
        return replace(
            super().settings(url, headers, given_headers),
            authorization=authorization,
            secrets=tuple(secret for secret in (password, token) if secret is not None),
        )
