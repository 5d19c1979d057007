"""One measured delivery: ``peavey deliver`` on a data folder, until the last line is acknowledged."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.journals import PreparedJournal, lend
from bench.machine import PACKAGE_FOLDER
from bench.processes import cpu_clock, peak_bytes
from bench.receiver import MARKER, Receiver
from plugin.journal.layout import DataFolder
from tests.testbed.server import plugin_environment

RECEIVERS = {
    "loki": "loki",
    "fluentd": "forward",
    "syslog": "plain",
    "gelf": "plain",
    "splunk": "http",
    "http": "http",
    "clickhouse": "http",
    "elasticsearch": "elasticsearch",
    "otlp": "http",
    "redis": "redis",
    "nats": "nats",
    "kafka": "kafka",
    "kafka, 500 lines a record": "kafka",
    "awslogs": "http",
}
"""The kind of receiver for each sink that has one; behind a comma, what about it is not as by default."""
SINKS = (*RECEIVERS, "json-file")

_PATIENCE = 180.0
_LOOK_EVERY = 0.005
NOBODY = 9
"""A port at which nobody listens."""


class DeliveryError(Exception):
    """Delivery did not bring what it was given; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the start of a delivery process that finds nothing to do takes, in seconds."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one delivery took: seconds by the clock, seconds of processor time of delivery and of the receiver.

    ``sent`` counts bytes as they went over the connection or into files, ``peak`` is delivery's largest resident size
    in bytes. Starting the process is left out of all.
    """

    lines: int
    seconds: float
    cpu: float
    receiver_cpu: float
    requests: int
    sent: int
    peak: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """What has arrived, and what that cost the receiver in seconds of processor time."""

    lines: int
    requests: int
    size: int
    cpu: float


def log_options(sink: str, port: int, folder: Path) -> dict[str, str]:
    """Return the log-opts that lead a sink to a receiver, or to files below ``folder``.

    All else is as it is by default, but that the last batch, which is never full, does not wait for a second, and that
    no file is rotated away before it is counted.
    """
    at = f"127.0.0.1:{port}"
    chosen = {
        "loki": {"loki-url": f"http://{at}"},
        "fluentd": {"fluentd-address": at, "fluentd-request-ack": "true"},
        "syslog": {"syslog-address": f"tcp://{at}", "syslog-format": "rfc5424micro"},
        "gelf": {"gelf-address": f"tcp://{at}"},
        "splunk": {"splunk-url": f"http://{at}", "splunk-token": "4711"},
        "http": {"http-url": f"http://{at}"},
        "clickhouse": {"clickhouse-url": f"http://{at}"},
        "elasticsearch": {"elasticsearch-url": f"http://{at}"},
        "otlp": {"otlp-endpoint": f"http://{at}"},
        "redis": {"redis-url": f"redis://{at}"},
        "nats": {"nats-url": f"nats://{at}"},
        "kafka": {"kafka-brokers": at},
        "kafka, 500 lines a record": {"kafka-brokers": at, "kafka-lines-per-message": "500"},
        "awslogs": {
            "awslogs-endpoint": f"http://{at}",
            "awslogs-region": "eu-central-1",
            "awslogs-group": "bench",
            "awslogs-access-key-id": "key",
            "awslogs-secret-access-key": "secret",
        },
        "json-file": {"json-file-path": f"{folder}/{{{{.FullID}}}}.log", "json-file-max-size": "10g"},
    }[sink]
    return {"batch-wait": "50ms", **chosen}


def instance_of(sink: str) -> str:
    """Return the sink's own name."""
    return sink.partition(",")[0]


def measure_start(sink: str, journal: PreparedJournal, folder: Path, rounds: int) -> Start:
    """Start delivery, so many times, on a data folder with one journal that this sink has had already."""
    starts = []
    for _ in range(rounds):
        with TemporaryDirectory(dir=folder) as name:
            data = DataFolder(Path(name, "data"))
            lend([journal], data, instance_of(sink), log_options(sink, NOBODY, Path(name)), delivered=True)
            begun = time.monotonic()
            with delivering(data) as process:
                _wait((data.path / "delivery" / "0.json").exists, process, "delivery has started")
                starts.append(Start(time.monotonic() - begun, cpu_clock(process.pid)))
    return Start(median(start.seconds for start in starts), median(start.cpu for start in starts))


def deliver(sink: str, journals: Sequence[PreparedJournal], lines: int, start: Start, folder: Path) -> Delivered:
    """Deliver journals, which hold ``lines`` lines, to one sink; ``folder`` is made, and removed afterwards.

    Raises ``DeliveryError`` unless exactly these lines arrive.
    """
    folder.mkdir()
    try:
        with ExitStack() as stack:
            kind = RECEIVERS.get(sink)
            receiver = None if kind is None else stack.enter_context(Receiver(kind))
            files = folder / "files"
            files.mkdir()
            data = DataFolder(folder / "data")
            waiting = lend(
                journals, data, instance_of(sink), log_options(sink, receiver.port if receiver else 0, files)
            )
            waiting.reverse()
            receiver_cpu = cpu_clock(receiver.pid) if receiver else 0.0

            def is_delivered() -> bool:
                while waiting and waiting[-1].is_delivered():
                    waiting.pop()
                return not waiting

            begun = time.monotonic()
            process = stack.enter_context(delivering(data))
            _wait(is_delivered, process, "all is acknowledged")
            seconds = time.monotonic() - begun
            cpu = cpu_clock(process.pid)
            arrived = _arrived(receiver, files, lines)
            if arrived.lines != lines:
                raise DeliveryError(f"sink {sink}: {arrived.lines:,} lines arrived of {lines:,}")
            return Delivered(
                lines=lines,
                seconds=seconds - start.seconds,
                cpu=cpu - start.cpu,
                receiver_cpu=arrived.cpu - receiver_cpu,
                requests=arrived.requests,
                sent=arrived.size,
                peak=peak_bytes(process.pid),
            )
    finally:
        shutil.rmtree(folder)


@contextmanager
def delivering(data: DataFolder) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``peavey deliver`` of the package that is measured on a data folder."""
    log = data.path / "deliver.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "plugin", "deliver"],
            cwd=PACKAGE_FOLDER,
            env=plugin_environment({"PEAVEY_DATA": str(data.path)}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    except DeliveryError as error:
        error.add_note(f"the log of delivery ends:\n{log.read_text(errors='replace')[-4000:]}")
        raise
    finally:
        process.kill()
        process.wait()


def _wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], expected: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if process.poll() is not None:
            raise DeliveryError(f"delivery ended with status {process.returncode} before {expected}")
        if time.monotonic() > deadline:
            raise DeliveryError(f"not so after {_PATIENCE:g} s: {expected}")
        time.sleep(_LOOK_EVERY)


def _arrived(receiver: Receiver | None, files: Path, lines: int) -> Arrived:
    """Count what has arrived; a receiver of a stream may still be reading what its kernel has acknowledged."""
    if receiver is None:
        contents = [file.read_bytes() for file in files.iterdir()]
        return Arrived(sum(content.count(MARKER) for content in contents), 0, sum(map(len, contents)), 0.0)
    receiver.wait_for(lines, _PATIENCE)
    counts = receiver.counts
    return Arrived(counts.lines, counts.requests, counts.bytes, cpu_clock(receiver.pid))
