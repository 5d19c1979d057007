"""The TCP address on which status and metrics are served, besides the plugin's own socket."""

import logging
import socket

from plugin.config.listen_address import ListenAddress

logger = logging.getLogger(__name__)

_BACKLOG = 64


class FurtherAddress:
    """A further address of the server. While it is unavailable, the plugin keeps running and containers start.

    ``fault`` is why it is unavailable, empty once it is listened on. ``hosts`` are further names by which it may be
    called.
    """

    def __init__(self, address: ListenAddress, hosts: tuple[str, ...] = ()) -> None:
        self.hosts = hosts
        self._address = address
        self._listener: socket.socket | None = None
        self.fault = ""

    def listen(self) -> socket.socket | None:
        """Return the listening socket, made now if there is none; None if the address is unavailable, logged once."""
        if self._listener is not None:
            return self._listener
        try:
            self._listener = _listener(self._address)
        except OSError as error:
            fault = (
                f"PEAVEY_HTTP: cannot listen on {self._address}: {error.strerror or error}; retrying"
                " (or choose another address)"
            )
            if fault != self.fault:
                self.fault = fault
                logger.error("%s", fault)  # noqa: TRY400 (another process has it, not a bug)
            return None
        self.fault = ""
        logger.info("listening on %s (PEAVEY_HTTP)", self._address)
        return self._listener


def _listener(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
