"""The options for TLS, which sinks have in common under names of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugin.config import types
from plugin.config.options import SinkChoice
from plugin.config.parsing import quote
from plugin.config.schema import Option
from plugin.sinks.transport.tls.context import ClientTls

_FILES = "In the managed plugin, files of the host are below /etc/peavey; one that changes is read anew."


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """The declarations for one sink: whom to trust, and what to show."""

    ca: Option[Path | None]
    cert: Option[Path | None]
    key: Option[Path | None]
    skip_verify: Option[bool]

    def __iter__(self) -> Iterator[Option[Any]]:
        """Yield them in the order of the reference."""
        return (getattr(self, name) for name in self.__slots__)

    def faults(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Yield what does not go together."""
        if values[self.key.name] is not None and values[self.cert.name] is None:
            yield f"log-opt {quote(self.key.name)} needs {quote(self.cert.name)}"

    def open(self, choice: SinkChoice, *, system_roots: bool = False) -> ClientTls:
        """Read the files that were chosen; as `ClientTls` otherwise."""
        return ClientTls(
            choice.get(self.ca),
            choice.get(self.cert),
            choice.get(self.key),
            verify=not choice.get(self.skip_verify),
            system_roots=system_roots,
        )


def tls_options(
    prefix: str,
    *,
    ca: str = "ca-cert",
    cert: str = "cert",
    key: str = "key",
    skip_verify: str = "skip-verify",
    besides: bool = False,
) -> TlsOptions:
    """Declare them for a sink, by names that begin with ``prefix``.

    ``besides`` says that the authorities of the file are trusted besides the system's, and not instead.
    """
    return TlsOptions(
        ca=ca_option(prefix + ca, besides=besides),
        cert=Option(
            name=prefix + cert,
            kind=types.PATH,
            shown_default="none",
            help=f"A PEM file with the certificate that we show to the server. {_FILES}",
        ),
        key=Option(
            name=prefix + key,
            kind=types.PATH,
            shown_default="in the certificate's file",
            help=f"A PEM file with the key of that certificate, without a password. {_FILES}",
        ),
        skip_verify=skip_verify_option(prefix + skip_verify),
    )


def ca_option(name: str, *, besides: bool = False) -> Option[Path | None]:
    """Declare the file with the authorities to trust; ``besides`` as in `tls_options`."""
    trusted = "to trust besides the system's" if besides else "to trust"
    return Option(
        name=name,
        kind=types.PATH,
        shown_default="the system's",
        help=f"A PEM file with the CA certificates {trusted}. {_FILES}",
    )


def skip_verify_option(name: str) -> Option[bool]:
    """Declare the switch that turns verification off."""
    return Option(
        name=name,
        kind=types.BOOLEAN,
        default="false",
        help="Whether any certificate and any name is accepted: then nothing tells the server from an impostor.",
    )


def server_name_option(name: str) -> Option[str]:
    """Declare the name that the server's certificate must have."""
    return Option(
        name=name,
        kind=types.TEXT,
        default="",
        shown_default="the URL's host",
        help="The name that the server's certificate must have.",
    )
