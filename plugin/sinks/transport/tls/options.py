"""The options for TLS, which sinks have in common under prefixes and some names of their own."""

import re
from collections.abc import Iterator
from pathlib import Path

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Option, Options
from plugin.config.types import Kind
from plugin.docker.info import Info
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.transport.tls.context import ClientTls, check_files

_HOST = re.compile(r"[\w:][\w.:-]*")
_FILES = "In the managed plugin, files of the host are below /etc/peavey; one that changes is read again."


def _parse_server_name(text: str) -> str:
    try:
        text.encode("idna")
    except UnicodeError:
        raise ValueError(f"{quote(text)} is not the name of a host") from None
    if text and not _HOST.fullmatch(text):
        raise ValueError(f"{quote(text)} is not the name of a host (example: logs.example.com)")
    return text


_SERVER_NAME: Kind[str] = Kind(parse=_parse_server_name, accepts="name of a host", keeps_empty=True)


def ca_option(name: str, *, besides: bool = False) -> Option[Path | None]:
    """Declare the file with the authorities to trust; ``besides`` the system's, or instead."""
    trusted = "to trust besides the system's" if besides else "to trust"
    return Option(
        name=name,
        kind=types.FILE,
        shown_default="the system's",
        help=f"A PEM file with the CA certificates {trusted}. {_FILES}",
    )


def cert_option(name: str) -> Option[Path | None]:
    """Declare the file with our own certificate."""
    return Option(
        name=name,
        kind=types.FILE,
        shown_default="none",
        help=f"A PEM file with the certificate that we show to the server. {_FILES}",
    )


def key_option(name: str) -> Option[Path | None]:
    """Declare the file with the key of that certificate."""
    return Option(
        name=name,
        kind=types.FILE,
        shown_default="in the certificate's file",
        help=f"A PEM file with the key of that certificate, without a password. {_FILES}",
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
        kind=_SERVER_NAME,
        default="",
        shown_default="the URL's host",
        help="The name that the server's certificate must have.",
    )


def file_faults(ca: Path | None, cert: Path | None = None, key: Path | None = None) -> Iterator[str]:
    """Yield why files of TLS cannot be used now, if so."""
    if ca is None and cert is None:
        return
    try:
        check_files(ca, cert, key)
    except MisconfiguredError as error:
        yield str(error)


class TlsOptions(Options):
    """Whom to trust, and what to show; the names are the usual ones, which a sink's own class may change."""

    ca = ca_option("ca-cert")
    cert = cert_option("cert")
    key = key_option("key")
    skip_verify = skip_verify_option("skip-verify")

    def check(self) -> Iterator[str]:
        """Yield what does not go together."""
        declared = type(self)
        if self.key is not None and self.cert is None:
            yield f"log-opt {quote(self.name_of(declared.key))} needs {quote(self.name_of(declared.cert))}"

    def check_unused(self, needed: str) -> Iterator[str]:
        """Yield the faults of files that are named although there is no TLS, which ``needed`` would bring."""
        declared = type(self)
        for option, value in ((declared.ca, self.ca), (declared.cert, self.cert), (declared.key, self.key)):
            if value is not None:
                yield f"log-opt {quote(self.name_of(option))} needs {needed}"

    def check_start(self, info: Info) -> Iterator[str]:
        """Yield the fault of a file that cannot be used."""
        yield from file_faults(self.ca, self.cert, self.key)
        yield from super().check_start(info)

    def open(self, *, system_roots: bool = False) -> ClientTls:
        """Read the files that were chosen; as `ClientTls` otherwise."""
        return ClientTls(self.ca, self.cert, self.key, verify=not self.skip_verify, system_roots=system_roots)
