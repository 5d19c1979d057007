"""TLS of the sinks: an SSL context from files, read again when they change."""

import contextlib
import logging
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

from plugin.config.files import bounded, read_file
from plugin.config.parsing import quote
from plugin.sinks.base import MisconfiguredError

logger = logging.getLogger(__name__)

_LASTING = (
    "ACCESS_DENIED",
    "CERTIFICATE",
    "HANDSHAKE_FAILURE",
    "HTTP_REQUEST",
    "INSUFFICIENT_SECURITY",
    "PROTOCOL_VERSION",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_CA",
    "UNRECOGNIZED_NAME",
    "UNSUPPORTED_PROTOCOL",
    "WRONG_VERSION_NUMBER",
)
"""Parts of what OpenSSL says when TLS cannot come about however often it is tried."""


class ClientTls:
    """TLS with one destination: a context for each of its connections, from files that may change meanwhile.

    Takes what `client_context` does, and raises `MisconfiguredError` as that does.
    """

    def __init__(
        self,
        ca: Path | None = None,
        cert: Path | None = None,
        key: Path | None = None,
        *,
        verify: bool = True,
        system_roots: bool = False,
    ) -> None:
        self._files = (ca, cert, key)
        self._verify = verify
        self._system_roots = system_roots
        self._told = ""
        self._stamps = self._look()
        self._context = self._read()

    def context(self) -> ssl.SSLContext:
        """Return the context, the same one until a file changes; to be asked for each connection.

        Files that have changed and cannot be used, such as a certificate whose key is yet to follow, change nothing.
        """
        try:
            stamps = self._look()
            if stamps != self._stamps:
                self._stamps = stamps
                self._context = self._read()
        except MisconfiguredError as error:
            if str(error) != self._told:
                self._told = str(error)
                logger.warning("TLS: cannot reload certificates, keeping the previous ones: %s", error)
        return self._context

    def _read(self) -> ssl.SSLContext:
        return client_context(*self._files, verify=self._verify, system_roots=self._system_roots)

    def _look(self) -> list[tuple[int, ...] | None]:
        files = [file for file in self._files if file is not None]
        try:
            return bounded(", ".join(map(str, files)), _stamps, files) if files else []
        except ValueError as fault:
            raise MisconfiguredError(str(fault)) from None


def _stamps(files: list[Path]) -> list[tuple[int, ...] | None]:
    """Return what changes with each file; None while it is not there."""
    stamps: list[tuple[int, ...] | None] = []
    for file in files:
        try:
            status = os.stat(file)
        except OSError:
            stamps.append(None)
        else:
            stamps.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return stamps


def client_context(
    ca: str | Path | None = None,
    cert: str | Path | None = None,
    key: str | Path | None = None,
    verify: bool = True,
    system_roots: bool = False,
) -> ssl.SSLContext:
    """Make the context for connecting to a destination, TLS 1.2 or later.

    ``ca`` is a PEM file with the certificates to trust: authorities, or the server's own. Without it the system's are
    trusted, and with ``system_roots`` the system's as well. ``cert`` and ``key`` are PEM files with the certificate
    that we show, and its key where that is not in the same file. ``verify=False`` accepts any certificate and any name.
    The name that the certificate must have is given per connection, as ``server_hostname``.

    Raises `MisconfiguredError` for a file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # As Go does, and so the drivers that ours stand for: what the file holds is trusted, whether an authority or not,
    # and an authority without the extensions that newer RFCs ask for is one all the same.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca is not None:
        _load_authorities(context, ca)
    if ca is None or system_roots:
        context.load_default_certs()
    if key is not None and cert is None:
        raise MisconfiguredError(f"the key {quote(str(key))} is given without its certificate: give both")
    if cert is not None:
        _load_own(context, cert, key)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def check_files(ca: Path | None = None, cert: Path | None = None, key: Path | None = None) -> None:
    """Raise `MisconfiguredError` for a file that `client_context` could not use; takes less time than that does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is not None:
        _load_authorities(context, ca)
    if cert is not None:
        _load_own(context, cert, key)


def is_lasting(error: ssl.SSLError) -> bool:
    """Return whether it needs attention: how we are set up, the server, or that it is this server."""
    return any(word in (error.reason or "") for word in _LASTING)


def _load_authorities(context: ssl.SSLContext, ca: str | Path) -> None:
    with _held(ca, "CA certificates") as held:
        try:
            context.load_verify_locations(cafile=held)
        except (ssl.SSLError, ValueError) as error:
            fault = f"{quote(str(ca))} holds no CA certificates in PEM form: {_reason(error)}"
            raise MisconfiguredError(fault) from error


def _load_own(context: ssl.SSLContext, cert: str | Path, key: str | Path | None) -> None:
    with contextlib.ExitStack() as files:
        held_cert = files.enter_context(_held(cert, "certificate"))
        held_key = None if key is None else files.enter_context(_held(key, "key"))
        try:
            # Without a password function, OpenSSL would ask for the password at the terminal.
            context.load_cert_chain(held_cert, held_key, password=lambda: b"")
        except (ssl.SSLError, ValueError) as error:
            named = quote(str(cert)) if key is None else f"{quote(str(cert))} and {quote(str(key))}"
            raise MisconfiguredError(
                f"no certificate with its key could be read from {named}: {_reason(error)}"
                " (both in PEM form, the key without a password and the one that belongs to the certificate)"
            ) from error


@contextlib.contextmanager
def _held(name: str | Path, what: str) -> Iterator[str]:
    """Read a file that log-opts name into memory, and lend its path there, since OpenSSL takes keys by paths alone.

    OpenSSL itself would wait for a FIFO, read a file without an end to its end, and not say which one it means.
    """
    try:
        content = read_file(name)
    except ValueError as fault:
        raise MisconfiguredError(f"the {what}: {fault}") from None
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error)
