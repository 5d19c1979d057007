"""The options that sinks over HTTP have in common, with the sink's prefix before their names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin.engine import kinds
from plugin.engine.option_schema import Option
from plugin.engine.options import SinkChoice
from plugin.engine.secrets import Secret
from plugin.sinks.http_headers import Headers
from plugin.sinks.http_settings import HttpSettings
from plugin.sinks.http_url import URL_KIND, HttpUrl, basic_authorization

_FILES = "In the managed plugin, files of the host are below /etc/peavey."


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """The declarations for one sink: time limit, proxy, TLS and authentication."""

    timeout: Option[float]
    proxy_url: Option[HttpUrl | None]
    ca: Option[Path | None]
    cert: Option[Path | None]
    key: Option[Path | None]
    server_name: Option[str]
    skip_verify: Option[bool]
    username: Option[str]
    password: Option[Secret | None]
    bearer_token: Option[Secret | None]

    def __iter__(self) -> Iterator[Option[Any]]:
        """Yield them in the order of the reference."""
        return (getattr(self, name) for name in self.__slots__)

    def faults(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield what does not go together."""
        password, user, token = (values[o.name] for o in (self.password, self.username, self.bearer_token))
        if token is not None and (user or password is not None):
            yield f"{self.bearer_token.name} and {self.username.name} are both given: the server takes one of them"
        if values[self.key.name] is not None and values[self.cert.name] is None:
            yield f"{self.key.name} is given without {self.cert.name}"

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
            ca=choice.get(self.ca),
            cert=choice.get(self.cert),
            key=choice.get(self.key),
            server_name=choice.get(self.server_name),
            verify=not choice.get(self.skip_verify),
            secrets=tuple(secret for secret in (password, token) if secret is not None),
        )


def http_options(prefix: str, timeout: str = "10s") -> HttpOptions:
    """Declare them for a sink; ``prefix`` with its dash, ``timeout`` is the default of the time limit."""
    return HttpOptions(
        timeout=Option(
            name=f"{prefix}timeout",
            kind=kinds.duration(minimum=0.1),
            default=timeout,
            help="How long one request may take, until its answer is complete.",
        ),
        proxy_url=Option(
            name=f"{prefix}proxy-url",
            kind=URL_KIND,
            shown_default="what https_proxy, http_proxy and no_proxy say in the plugin's environment",
            help="The HTTP proxy to go through, with user and password in the URL where it wants them.",
        ),
        ca=Option(
            name=f"{prefix}tls-ca-file",
            kind=kinds.PATH,
            shown_default="the system's",
            help=f"A PEM file with the CA certificates to trust. {_FILES}",
        ),
        cert=Option(
            name=f"{prefix}tls-cert-file",
            kind=kinds.PATH,
            shown_default="none",
            help=f"A PEM file with the certificate that we show to the server. {_FILES}",
        ),
        key=Option(
            name=f"{prefix}tls-key-file",
            kind=kinds.PATH,
            shown_default="in the certificate's file",
            help=f"A PEM file with the key of that certificate, without a password. {_FILES}",
        ),
        server_name=Option(
            name=f"{prefix}tls-server-name",
            kind=kinds.TEXT,
            default="",
            shown_default="the URL's host",
            help="The name that the server's certificate must have.",
        ),
        skip_verify=Option(
            name=f"{prefix}tls-insecure-skip-verify",
            kind=kinds.BOOLEAN,
            default="false",
            help="Whether any certificate and any name is accepted: then nothing tells the server from an impostor.",
        ),
        username=Option(
            name=f"{prefix}username",
            kind=kinds.TEXT,
            default="",
            shown_default="that of the URL",
            help="The user for basic authentication.",
        ),
        password=Option(
            name=f"{prefix}password",
            kind=kinds.SECRET,
            shown_default="that of the URL",
            help="The password for basic authentication.",
        ),
        bearer_token=Option(
            name=f"{prefix}bearer-token",
            kind=kinds.SECRET,
            shown_default="none",
            help="A token that is sent as Authorization: Bearer.",
        ),
    )
