"""Admission: what was accepted once for a container is never refused again, whatever has become of it."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.config.common_options import JournalOptions
from plugin.config.effective import Rules
from plugin.config.options import validate
from plugin.docker.info import Info
from plugin.errors import OptionError
from plugin.intake.admission import Admission
from plugin.intake.attachments import Attachment, Attachments
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.sinks.registry import schema
from tests.intake.pump_harness import ONE, OTHER, info_of

BAD = {"max_size": "3m", "max_file": "none"}


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path)
    made.create()
    return made


def note(data: DataFolder, container: str, **options: str) -> None:
    """Leave a journal of a container behind."""
    data.container(container).mkdir()
    write_metadata(data.container(container), info_of(container, **options), "fifo", 1)


def attach(data: DataFolder, container: str, **options: str) -> None:
    """Leave an attachment of a container behind."""
    attachment = Attachment(file=f"/run/{container}", info=info_of(container, **options), started=1)
    Attachments(data.streams).save(attachment)


def test_good_options_are_given_as_values(data: DataFolder) -> None:
    assert Admission(data, {}).admit(info_of(max_size="3m", max_age="2h")).max_age == 7200


def test_defaults_hold_where_the_container_says_nothing(data: DataFolder) -> None:
    admission = Admission(data, {"max-size": "1m", "max-file": "2"})
    options = admission.admit(info_of(max_file="9"))
    assert (options.max_size, options.max_file) == (1_000_000, 9)
    assert admission.options_of(info_of(max_file="9")) == options


def test_bad_ones_are_refused_with_all_faults(data: DataFolder) -> None:
    with pytest.raises(OptionError) as caught:
        Admission(data, {}).admit(info_of(max_size="x", max_file="none"))
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize("leave", [note, attach])
def test_those_of_a_container_that_had_them_are_accepted(
    data: DataFolder, leave: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    leave(data, ONE, **BAD)
    options = Admission(data, {}).admit(info_of(**BAD))
    assert options.max_size == 3_000_000, "what is good still holds"
    assert options.max_file == 5, "what is at fault has its default"
    assert "log-opts that were accepted before are faulty now" in caplog.text


@pytest.mark.parametrize("leave", [note, attach])
def test_others_are_refused_although_the_container_is_known(data: DataFolder, leave: Callable[..., None]) -> None:
    leave(data, ONE, max_size="3m")
    leave(data, OTHER, **BAD)
    with pytest.raises(OptionError, match="max-file"):
        Admission(data, {}).admit(info_of(**BAD))


def test_an_attachment_is_enough_where_the_journals_note_is_damaged(data: DataFolder) -> None:
    data.container(ONE).mkdir()
    (data.container(ONE) / "info.json").write_bytes(b'{"info": "\xff"}')
    with pytest.raises(OptionError):
        Admission(data, {}).admit(info_of(**BAD))
    attach(data, ONE, **BAD)
    assert Admission(data, {}).admit(info_of(**BAD)).max_file == 5


def test_bad_defaults_do_not_refuse_a_container_that_was_accepted(data: DataFolder) -> None:
    admission = Admission(data, {"max-fle": "2"})
    with pytest.raises(OptionError, match="max-fle"):
        admission.admit(info_of())
    note(data, ONE)
    assert admission.admit(info_of()).max_file == 5


def test_a_note_on_options_is_told_once(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    noted = validate({})
    noted.notes = ("the journal buffers", "the engine does that")
    monkeypatch.setattr(Rules, "check", lambda *_: noted)
    admission = Admission(data, {})
    for container in (ONE, OTHER):
        assert admission.admit(info_of(container)) == noted
    assert [record.getMessage() for record in caplog.records] == ["the journal buffers", "the engine does that"]


LOKI = {"loki-url": "http://loki:3100", "audit.tag": "{{.Name}}", "sink": "loki,audit=syslog"}


@pytest.mark.parametrize(
    ("own", "defaults"),
    [
        ({}, {}),
        (LOKI, {"max-size": "1m"}),
        ({"max-file": "7", "max-age": "x"}, LOKI),
        ({"splunk-url": "http://s:1", "splunk-token-file": "/nowhere"}, {}),
        ({"loki-url": "not a url", "loki-relabel-config": "["}, {"syslog-address": "udp://a:1"}),
        ({"sink": ""}, LOKI),
        ({"lokiurl": "x", "sink": "lokki"}, {}),
    ],
)
def test_the_outline_has_the_same_journal_and_sinks(
    data: DataFolder, own: dict[str, str], defaults: dict[str, str]
) -> None:
    admission = Admission(data, defaults, schema())
    info = Info(container_id=ONE, config=own)
    whole, outline = admission.options_of(info), admission.outline_of(info)
    assert [whole.value_of(o) for o in JournalOptions.options] == [outline.value_of(o) for o in JournalOptions.options]
    chosen = [(choice.instance, choice.sink, choice.own) for choice in whole.sinks]
    assert [(choice.instance, choice.sink, choice.own) for choice in outline.sinks] == chosen


def test_the_outline_reads_no_option_of_a_sink(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object) -> str:
        raise AssertionError("a file was read, or a value parsed")

    monkeypatch.setattr("plugin.config.layers.read_secret", read)
    monkeypatch.setattr("plugin.config.layers.closest_name", read)
    monkeypatch.setattr("plugin.sinks.loki.relabel.parse_rules", read)
    config = {
        "loki-url": "http://loki",
        "loki-bearer-token-file": "/x",
        "loki-relabel-config": "x" * 1000,
        "unkown": "",
    }
    outline = Admission(data, {}, schema()).outline_of(Info(container_id=ONE, config=config))
    assert [choice.instance for choice in outline.sinks] == ["loki"]


UNUSABLE = [
    {"loki-url": "https://loki", "loki-tls-ca-file": "/nowhere/ca.pem"},
    {"splunk-url": "https://s:1", "splunk-token": "t", "splunk-capath": "/nowhere/ca.pem"},
    {"syslog-address": "tcp+tls://s:1", "syslog-tls-cert": "/nowhere/c.pem", "syslog-tls-key": "/nowhere/k.pem"},
    {"fluentd-address": "tls://f:1", "fluentd-tls-ca-cert": "/nowhere/ca.pem"},
    {"http-url": "https://h", "http-tls-cert-file": "/nowhere/c.pem"},
    {"http-url": "https://h", "http-bearer-token-file": "/nowhere/token"},
    {"http-url": "https://h", "tag": "{{index .ContainerArgs 7}}"},
    {"loki-url": "http://loki", "loki-external-labels": "a={{index .ContainerArgs 7}}"},
    {"json-file-path": "/logs/{{.Name}}"},
    {"elasticsearch-url": "http://es", "elasticsearch-index": "a-{{index .ContainerArgs 7}}"},
    {"sink": "otlp", "otlp-service-name": "{{index .ContainerArgs 7}}"},
    {"otlp-endpoint": "https://otel", "otlp-certificate": "/nowhere/ca.pem"},
]


@pytest.mark.parametrize("config", UNUSABLE)
def test_what_cannot_work_now_refuses_the_first_start_and_no_repeated_one(
    data: DataFolder, config: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    admission = Admission(data, {}, schema())
    info = Info(container_id=ONE, container_name="/", config=config)
    with pytest.raises(OptionError, match=r"nowhere|index|json-file-path"):
        admission.admit(info)
    data.container(ONE).mkdir()
    write_metadata(data.container(ONE), info, "fifo", 1)
    (choice,) = admission.admit(info).sinks
    assert choice.sink in str(config)
    assert "accepted before" in caplog.text


@pytest.mark.parametrize("host", ["a..b", "x" * 64, ".".join(["x" * 60] * 5), "a b", f"{'x' * 64}.com", "ü" * 80])
@pytest.mark.parametrize("option", ["loki-url=http://{}:1", "gelf-address=udp://{}:1", "fluentd-address={}:1"])
def test_a_host_that_can_never_be_found_refuses_the_start(data: DataFolder, host: str, option: str) -> None:
    name, _, value = option.partition("=")
    with pytest.raises(OptionError, match=name):
        Admission(data, {}, schema()).admit(Info(container_id=ONE, config={name: value.format(host)}))


@pytest.mark.parametrize("host", ["loki", "my_service", "a.b.", "münchen.example", "127.0.0.1", "[::1]", "x" * 63])
def test_others_do_not(data: DataFolder, host: str) -> None:
    for name, value in (("loki-url", "http://{}:1"), ("gelf-address", "tcp://{}:1"), ("fluentd-address", "{}:1")):
        Admission(data, {}, schema()).admit(Info(container_id=ONE, config={name: value.format(host)}))
