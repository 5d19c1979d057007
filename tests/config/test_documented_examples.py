"""What the documentation of Docker's, Grafana's and Splunk's drivers shows is accepted, or answered with what to do.

Sources: docs.docker.com (engine/logging/drivers), grafana.com (Docker driver client), Splunk's docker-logging-plugin.
"""

import pytest

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.registry import schema

SPLUNK = {"splunk-token": "176FCEBF-4CF5-4EDF-91BC-703796522D20", "splunk-url": "https://splunkhost:8088"}
GELF = {"gelf-address": "udp://192.168.0.42:12201"}
AWSLOGS = {"awslogs-region": "us-east-1", "awslogs-group": "myLogGroup"}
LOKI = {"loki-url": "https://user:password@logs-us-west1.grafana.net/loki/api/v1/push"}

ACCEPTED = [
    {"max-size": "10m", "max-file": "3", "labels": "production_status", "env": "os,customer", "compress": "true"},
    {"labels-regex": "^(production_status|dev)", "env-regex": "^(os|customer)"},
    {"mode": "non-blocking", "max-buffer-size": "4m"},
    {"syslog-address": "udp://1.2.3.4:1111"},
    {"syslog-address": "tcp+tls://192.168.1.3:514", "syslog-tls-skip-verify": "true", "syslog-format": "rfc5424micro"},
    {"syslog-address": "unix:///path/to/socket.sock", "syslog-facility": "daemon", "tag": "mailer"},
    {"syslog-address": "unixgram:///path/to/socket.sock"},
    {**GELF, "gelf-compression-type": "gzip", "gelf-compression-level": "2", "tag": "mailer"},
    {"gelf-address": "tcp://192.168.0.42:12201", "gelf-tcp-max-reconnect": "3", "gelf-tcp-reconnect-delay": "1"},
    {"fluentd-address": "fluentdhost:24224", "tag": "docker.{{.Name}}"},
    {"fluentd-address": "tcp://fluentdhost:24224", "fluentd-async": "true", "fluentd-buffer-limit": "1048576"},
    {"fluentd-address": "unix:///path/to/fluentd.sock", "fluentd-sub-second-precision": "false"},
    {"fluentd-address": "a:1", "fluentd-retry-wait": "1s", "fluentd-max-retries": "4294967295"},
    {
        **SPLUNK,
        "splunk-caname": "SplunkServerDefaultCert",
        "splunk-insecureskipverify": "false",
        "splunk-index": "main",
    },
    {**SPLUNK, "splunk-format": "raw", "splunk-verify-connection": "true", "splunk-gzip": "true"},
    {**SPLUNK, "splunk-gzip-level": "-1", "splunk-sourcetype": "_json", "tag": "{{.Name}}/{{.FullID}}"},
    {**SPLUNK, "splunk-url-path": "/services/collector/event/1.0", "splunk-index-acknowledgment": "true"},
    {"gcp-project": "my-project", "gcp-log-cmd": "true", "labels": "location", "env": "TEST"},
    {"gcp-meta-zone": "us-east1-b", "gcp-meta-name": "`docker info`", "gcp-meta-id": "1"},
    {**AWSLOGS, "awslogs-create-group": "true"},
    {**AWSLOGS, "tag": '{{ with split .ImageName ":" }}{{join . "_"}}{{end}}-{{.ID}}'},
    {**AWSLOGS, "awslogs-datetime-format": r"\[%b %d, %Y %H:%M:%S\]"},
    {**AWSLOGS, "awslogs-multiline-pattern": "^INFO"},
    {**AWSLOGS, "awslogs-endpoint": "https://logs.us-east-1.amazonaws.com", "awslogs-create-stream": "false"},
    {**AWSLOGS, "awslogs-force-flush-interval-seconds": "10", "awslogs-max-buffered-events": "8192"},
    {**AWSLOGS, "awslogs-format": "json/emf"},
    {"sink": "journald", "tag": "{{.ImageName}}/{{.Name}}", "labels": "location", "env": "TEST"},
    {**LOKI, "loki-retries": "5", "loki-batch-size": "400", "loki-batch-wait": "1s", "loki-timeout": "10s"},
    {**LOKI, "loki-external-labels": "job=docker,container_name={{.Name}}", "no-file": "true", "keep-file": "true"},
    {**LOKI, "loki-min-backoff": "500ms", "loki-max-backoff": "5m", "loki-tenant-id": "fake"},
    {
        **LOKI,
        "loki-relabel-config": "- action: labelmap\n  regex: swarm_(service)\n- action: labeldrop\n  regex: swarm_.+",
    },
]


ANSWERED = [
    ({"max-size": "-1"}, "leave the option away"),
    ({"max-size": "0"}, "leave the option away"),
    ({"gelf-address": "x:12201"}, r"'x:12201' has no scheme \(expected: udp:// or tcp://, such as udp://host:port"),
    ({"gelf-address": "tls://x:12201"}, "TLS is not spoken here"),
    ({"syslog-address": "tls://x:6514"}, r"did you mean 'tcp\+tls'"),
    ({"syslog-address": "x:514"}, "'x:514' has no scheme"),
    ({"fluentd-address": "tcp+tls://x"}, "accepted: .*tls://HOST:PORT.*did you mean 'tls'"),
    ({"loki-url": "loki:3100"}, "http:// or https:// URL"),
    ({**LOKI, "loki-pipeline-stages": "- metrics:\n"}, r"stage 1 \(metrics\): it is not supported: count in Loki"),
]


@pytest.mark.parametrize("config", ACCEPTED, ids=str)
def test_it_is_accepted(config: dict[str, str]) -> None:
    validate(config, {}, schema())


@pytest.mark.parametrize(("config", "answer"), ANSWERED, ids=str)
def test_or_answered_with_what_to_do(config: dict[str, str], answer: str) -> None:
    with pytest.raises(OptionError, match=answer):
        validate(config, {}, schema())


@pytest.mark.parametrize(
    "config", [LOKI, {**LOKI, "audit.loki-url": "x", "loki-bearer-token-file": "/nowhere"}, {"splunk-gzip": "maybe"}]
)
@pytest.mark.parametrize("empty", ["", " ", ","])
def test_an_empty_sink_is_the_journal_alone_whatever_daemon_json_adds(config: dict[str, str], empty: str) -> None:
    assert validate({**config, "sink": empty}, {}, schema()).sinks == ()
    assert validate({**config, "sink": empty}, LOKI, schema()).sinks == ()
    with pytest.raises(OptionError, match="max-file"):
        validate({**config, "sink": empty, "max-file": "none"}, {}, schema())
