"""Times that a protocol cannot express: the nearest is sent, and that is said once."""

import msgspec
import pytest

from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of

EXTREMES = (-(2**63), -1, 0, TIME, 2**63 - 1)
"""All that 64 bits of nanoseconds hold: from 1677 to 2262."""

SINKS = [
    {"loki_url": "http://h"},
    {"gelf_address": "tcp://h:1"},
    {"gelf_address": "udp://h:1"},
    {"http_url": "http://h"},
    {"splunk_url": "http://h", "splunk_token": "t"},
    {"fluentd_address": "h"},
    {"fluentd_address": "h", "fluentd_sub_second_precision": "false"},
    {"json_file_path": "/var/log/x/{{.Name}}"},
    {"sink": "journald"},
    {"sink": "gcplogs"},
    {"awslogs_group": "g"},
    {"amqp_url": "amqp://h"},
    {"s3_bucket": "logs"},
    *({"syslog_address": "tcp://h", "syslog_format": form} for form in ("", "rfc3164", "rfc5424", "rfc5424micro")),
]


@pytest.mark.parametrize("options", SINKS, ids=str)
def test_every_time_of_the_engine_can_be_sent(options: dict[str, str]) -> None:
    sink = sink_of(**options)
    for time in EXTREMES:
        assert sink.encode(records_of(sink, [b"x"], time=time))


@pytest.mark.parametrize("precise", ["true", "false"])
def test_what_forward_cannot_express_is_said_once_for_each_container(
    precise: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sink_of(fluentd_address="h", fluentd_sub_second_precision=precise)
    for digit in "de":
        info = msgspec.structs.replace(INFO, container_id=(digit + precise[0].replace("t", "7")) * 32)
        for time in EXTREMES:
            sink.encode(records_of(sink, [b"x"], origin_of(info), time=time))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith("container d")
    assert lines[0].endswith(
        ", sink fluentd: time 1677-09-21T00:12:43Z is out of the protocol's range; the nearest is sent"
    )
