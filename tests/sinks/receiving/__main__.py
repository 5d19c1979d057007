"""One receiver as a process: what arrives is written to a file, before it is answered.

python -m tests.sinks.receiving PROTOCOL PORT OUTPUT
"""

import argparse
import io
import json
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from tests.sinks.receiving.protocols import PROTOCOLS
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Protocol, Receiver


class _Written(Receiver):
    """A receiver that writes down what it takes in."""

    def __init__(self, protocol: Protocol, port: int, output: BinaryIO) -> None:
        super().__init__(protocol, port)
        self._output = output
        self._writing = threading.Lock()

    def take(self, records: Iterable[Received]) -> None:
        lines = [json.dumps(asdict(record) | {"line": record.line.decode("latin-1")}) + "\n" for record in records]
        with self._writing:
            self._output.write("".join(lines).encode())


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("port", type=int)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    with io.FileIO(arguments.output, "a") as output:
        _Written(PROTOCOLS[arguments.protocol], arguments.port, output).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
