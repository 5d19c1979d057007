"""The options that sinks over HTTP have in common, with the sink's prefix before their names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plugin.config import types
from plugin.config.options import SinkChoice
from plugin.config.schema import Option
from plugin.config.secrets import Secret
from plugin.sinks.transport.http.headers import Headers
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.http.url import URL_KIND, HttpUrl, basic_authorization
from plugin.sinks.transport.tls.options import TlsOptions, server_name_option, tls_options


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """The declarations for one sink: time limit, proxy, TLS and authentication."""

    timeout: Option[float]
    proxy_url: Option[HttpUrl | None]
    tls: TlsOptions
    server_name: Option[str]
    username: Option[str]
    password: Option[Secret | None]
    bearer_token: Option[Secret | None]

    def __iter__(self) -> Iterator[Option[Any]]:
        """Yield them in the order of the reference."""
        yield from (self.timeout, self.proxy_url, *self.tls, self.server_name)
        yield from (self.username, self.password, self.bearer_token)

    def faults(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield what does not go together."""
        password, user, token = (values[o.name] for o in (self.password, self.username, self.bearer_token))
        if token is not None and (user or password is not None):
            yield f"{self.bearer_token.name} and {self.username.name} are both given: the server takes one of them"
        yield from self.tls.faults(values)

    def settings(
        self, choice: SinkChoice, url: HttpUrl, headers: Mapping[str, str], given_headers: Headers | None = None
    ) -> HttpSettings:
        """Make the client's settings of the options that were chosen."""
        password, token = choice.get(self.password), choice.get(self.bearer_token)
        user = choice.get(self.username)
        authorization = None
        if token is not None:
            authorization = Secret(f"Bearer {token.reveal()}")
        elif user or password is not None:
            authorization = basic_authorization(user, password or Secret(""))
        return HttpSettings(
            url=url,
            timeout=choice.get(self.timeout),
            headers=headers,
            given_headers=given_headers or Headers(),
            authorization=authorization,
            proxy=choice.get(self.proxy_url),
            ca=choice.get(self.tls.ca),
            cert=choice.get(self.tls.cert),
            key=choice.get(self.tls.key),
            server_name=choice.get(self.server_name),
            verify=not choice.get(self.tls.skip_verify),
            secrets=tuple(secret for secret in (password, token) if secret is not None),
        )


def http_options(prefix: str, timeout: str = "10s") -> HttpOptions:
    """Declare them for a sink; ``prefix`` with its dash, ``timeout`` is the default of the time limit."""
    return HttpOptions(
        timeout=timeout_option(f"{prefix}timeout", timeout),
        proxy_url=proxy_option(f"{prefix}proxy-url"),
        tls=tls_options(
            f"{prefix}tls-", ca="ca-file", cert="cert-file", key="key-file", skip_verify="insecure-skip-verify"
        ),
        server_name=server_name_option(f"{prefix}tls-server-name"),
        username=Option(
            name=f"{prefix}username",
            kind=types.TEXT,
            default="",
            shown_default="that of the URL",
            help="The user for basic authentication.",
        ),
        password=Option(
            name=f"{prefix}password",
            kind=types.SECRET,
            shown_default="that of the URL",
            help="The password for basic authentication.",
        ),
        bearer_token=Option(
            name=f"{prefix}bearer-token",
            kind=types.SECRET,
            shown_default="none",
            help="A token that is sent as Authorization: Bearer.",
        ),
    )


def timeout_option(name: str, default: str) -> Option[float]:
    """Declare the time limit of a request."""
    return Option(
        name=name,
        kind=types.duration(minimum=0.1),
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
