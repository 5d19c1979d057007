"""The process of a receiver: ``python -m bench.receiver KIND LISTENER COUNTS``, both inherited file descriptors."""

import contextlib
import selectors
import socket
import sys

from bench.receiver import Tally
from bench.receiver.protocols import Connection, connections

_PIECE = 1 << 20


def main() -> None:
    """Count until the process is ended."""
    kind, listener, counts = sys.argv[1], socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3])
    serve(kind, listener, Tally(counts))


def serve(kind: str, listener: socket.socket, tally: Tally) -> None:
    """Take connections and count what they bring, in one thread."""
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    listener.setblocking(False)
    connect = connections(kind, listener.getsockname()[1])
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    accepted, _ = listener.accept()
                    connection = connect()
                    accepted.sendall(connection.greeting)
                    selector.register(accepted, selectors.EVENT_READ, connection)
                elif not take(key, view, tally):
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]  # it is a socket


def take(key: selectors.SelectorKey, view: memoryview, tally: Tally) -> bool:
    """Read from a connection what is there; return False when it has ended."""
    client: socket.socket = key.fileobj  # type: ignore[assignment]  # nothing else was registered
    connection: Connection = key.data
    with contextlib.suppress(ConnectionError):  # one that was reset has ended like any other
        if size := client.recv_into(view):
            taken = connection.feed(view[:size].tobytes())
            tally.add(taken.lines, size, taken.requests)
            if taken.answer:
                client.sendall(taken.answer)
            return True
    return False


if __name__ == "__main__":
    main()
