"""On the way to destinations: decoding, joining, and each sink's encoder, with its compression where it has one."""

import pytest

from bench.lines import numbered_line
from bench.micro.per_line import LINES, PerLine
from plugin.docker.frames import Entry, PartialMetadata, encode_frame
from plugin.memory import keep_memory
from plugin.records.decoder import Decoder
from tests.sinks.factories import records_of, sink_of

_PART_SIZE = 16 * 1024
_LINE_PARTS = 64
_LONG_LINES = 4

SINKS: dict[str, dict[str, str]] = {
    "loki (protobuf, snappy)": {"loki_url": "http://127.0.0.1"},
    "fluentd": {"fluentd_address": "127.0.0.1:24224"},
    "fluentd, gzip": {"fluentd_address": "127.0.0.1:24224", "fluentd_compress": "gzip"},
    "syslog": {"syslog_address": "tcp://127.0.0.1:514", "syslog_format": "rfc5424micro"},
    "gelf": {"gelf_address": "tcp://127.0.0.1:12201"},
    "gelf over UDP, gzip": {"gelf_address": "udp://127.0.0.1:12201"},
    "splunk": {"splunk_url": "http://127.0.0.1", "splunk_token": "4711"},
    "splunk, gzip": {"splunk_url": "http://127.0.0.1", "splunk_token": "4711", "splunk_gzip": "true"},
    "http": {"http_url": "http://127.0.0.1"},
    "http, gzip": {"http_url": "http://127.0.0.1", "http_compression": "gzip"},
    "http, zstd": {"http_url": "http://127.0.0.1", "http_compression": "zstd"},
    "elasticsearch": {"elasticsearch_url": "http://127.0.0.1"},
    "clickhouse, zstd": {"clickhouse_url": "http://127.0.0.1"},
    "s3, zstd": {"s3_bucket": "logs"},
    "elasticsearch, gzip": {"elasticsearch_url": "http://127.0.0.1", "elasticsearch_compression": "gzip"},
    "otlp": {"otlp_endpoint": "http://127.0.0.1"},
    "otlp, gzip": {"otlp_endpoint": "http://127.0.0.1", "otlp_compression": "gzip"},
    "otlp, zstd": {"otlp_endpoint": "http://127.0.0.1", "otlp_compression": "zstd"},
    "redis": {"redis_url": "redis://127.0.0.1"},
    "nats": {"nats_url": "nats://127.0.0.1"},
    "kafka": {"kafka_brokers": "127.0.0.1:9092"},
    "kafka, 500 lines a record": {"kafka_brokers": "127.0.0.1:9092", "kafka_lines_per_message": "500"},
    "amqp": {"amqp_url": "amqp://127.0.0.1"},
    "journald": {"sink": "journald"},
    "awslogs": {"awslogs_group": "shop", "awslogs_region": "eu-central-1"},
    "gcplogs": {"sink": "gcplogs", "gcp_project": "shop-4711", "gcp_compression": "none"},
    "json-file": {"json_file_path": "/var/log/containers/web.log"},
}


@pytest.fixture(scope="module", autouse=True)
def _memory() -> None:
    """Keep memory as delivery does; without, half of what is measured would be the kernel that clears it."""
    keep_memory()


@pytest.mark.parametrize(("name", "joined"), [("decode into records", True), ("decode, parts as they come", False)])
def test_decode(per_line: PerLine, frames: bytes, name: str, joined: bool) -> None:
    def decode() -> int:
        decoder = Decoder(None, joined=joined, first=0)
        decoder.feed(frames, 0)
        return len(decoder.take())

    assert per_line(name, decode) == LINES


def test_join_parts(per_line: PerLine) -> None:
    frames = b"".join(
        encode_frame(Entry("stdout", 1 + line, b"x" * _PART_SIZE, partial=True, metadata=metadata))
        for line in range(_LONG_LINES)
        for part in range(_LINE_PARTS)
        for metadata in [PartialMetadata(last=part == _LINE_PARTS - 1, id=f"{line:064}", ordinal=part + 1)]
    )

    def join() -> int:
        decoder = Decoder(None, joined=True, first=0)
        decoder.feed(frames, 0)
        return len(decoder.take())

    assert per_line("join a part of 16 KiB to its line", join, _LONG_LINES * _LINE_PARTS) == _LONG_LINES


@pytest.mark.parametrize("name", SINKS)
def test_encode(per_line: PerLine, name: str) -> None:
    sink = sink_of(**SINKS[name])
    records = records_of(sink, [numbered_line(number) for number in range(LINES)])
    assert per_line(f"encode for {name}", lambda: sink.encode(records))
