"""The TCP address on which status and metrics are given, besides the plugin's own socket."""

import logging
import socket

from plugin.config.listen_address import ListenAddress

logger = logging.getLogger(__name__)

_BACKLOG = 1024
_KEEP_ALIVE_AFTER = 60


class FurtherAddress:
    """Listens there as soon as that can be done: that it cannot must keep no container from starting.

    ``fault`` is why it cannot, empty when it does.
    """

    def __init__(self, address: ListenAddress) -> None:
        self._address = address
        self._listener: socket.socket | None = None
        self.fault = ""

    def listen(self) -> socket.socket | None:
        """Listen, unless that is done already; None if it cannot be done now, which the log tells once."""
        if self._listener is not None:
            return self._listener
        try:
            self._listener = _listener(self._address)
        except OSError as error:
            fault = (
                f"PEAVEY_HTTP: cannot listen on {self._address}: {error.strerror or error};"
                " it is tried again and again, or choose another address"
            )
            if fault != self.fault:
                self.fault = fault
                logger.error("%s", fault)  # noqa: TRY400 (another process has it, no defect)
            return None
        if self.fault:
            self.fault = ""
            logger.info("listening on %s (PEAVEY_HTTP)", self._address)
        return self._listener


def _listener(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The server never closes connections for idleness: those of clients that vanished must end otherwise.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_AFTER)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address.host, address.port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
