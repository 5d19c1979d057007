"""The log-opts that shape records: what is accepted, per sink and in families, and what is wrong with others."""

import pytest

from plugin.config.common_options import JOURNAL_ONLY
from plugin.config.options import SinkChoice, validate, validate_leniently
from plugin.config.shaping_kinds import FORMATS, LANGUAGES, SENSITIVE, Rate, datetime_pattern
from plugin.errors import OptionError
from plugin.sinks.registry import schema

SINKS = {"sink": "http,audit=http", "http-url": "http://a", "audit.http-url": "http://b"}


def choices(**given: str) -> dict[str, SinkChoice]:
    config = {name.replace("_", "-"): text for name, text in given.items()}
    return {choice.instance: choice for choice in validate(SINKS | config, None, schema()).sinks}


def faults(given: dict[str, str], defaults: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(OptionError) as raised:
        validate({"http-url": "http://a", **given}, defaults, schema())
    return list(raised.value.faults)


def test_nothing_is_asked_for_by_default() -> None:
    transforms = choices()["http"].transforms

    assert (transforms.multiline, transforms.parse, transforms.redact) == ((), (), ())
    assert (transforms.begins_event, transforms.detects_level) == (None, False)
    assert dict(transforms.include_more) == {}


def test_auto_and_all_stand_for_all_that_is_known() -> None:
    transforms = choices(multiline="auto", parse="auto", redact="all")["http"].transforms

    assert transforms.multiline == LANGUAGES
    assert transforms.parse == FORMATS
    assert transforms.redact == SENSITIVE


def test_options_hold_for_one_sink_alone() -> None:
    found = choices(**{"redact": "email", "audit.redact": "", "audit.rate-limit": "5/m"})

    assert found["http"].transforms.redact == ("email",)
    assert found["audit"].transforms.redact == ()
    assert found["audit"].transforms.rate_limit == Rate(5, 60, "5/m")
    assert found["http"].transforms.rate_limit is None


def test_families_take_any_name_behind_the_dot() -> None:
    given = {
        "include.1": "a",
        "include.two": "b",
        "add-field.team.name": "x",
        "audit.include.1": "c",
        "audit.include.2": "d",
    }
    found = choices(**given)

    assert dict(found["http"].transforms.include_more) == {"1": "a", "two": "b"}
    assert dict(found["audit"].transforms.include_more) == {"1": "c", "two": "b", "2": "d"}
    assert dict(found["http"].transforms.add_field) == {"team.name": "x"}


def test_an_empty_value_takes_a_default_back() -> None:
    defaults = {"include.1": "a", "include.2": "b"}
    (choice,) = validate({"http-url": "http://a", "include.1": ""}, defaults, schema()).sinks

    assert dict(choice.transforms.include_more) == {"2": "b"}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (
            {"multiline": "jav"},
            "log-opt 'multiline': 'jav' is not one of auto, java, python, go, ruby, dotnet, php, js, ",
        ),
        ({"multiline": "jav"}, "(did you mean 'java'?)"),
        ({"parse": "xml"}, "log-opt 'parse': 'xml' is not one of auto, json"),
        ({"multiline": "docker"}, "'docker' is not one of "),
        ({"multiline": "docker,java"}, " (leave it out: lines that Docker cuts are whole here)"),
        ({"multiline": "cri"}, " (leave it out, or give loki-pipeline-stages the stage cri for lines that a program "),
        ({"multiline": "regex"}, " (give log-opt parse-pattern, or multiline-pattern for events)"),
        ({"multiline": "node"}, " (it is called js)"),
        ({"parse": "csv"}, " (give log-opt parse-pattern)"),
        ({"multiline-pattern": "^(?!INFO)"}, "(RE2 has neither look-around nor back-references, so that "),
        ({"multiline-pattern": "(?<=a)b"}, "(RE2 has neither look-around nor back-references, so that "),
        ({"redact-pattern": r"(.)\1"}, "(RE2 has neither look-around nor back-references, so that "),
        ({"redact": "emails"}, "(did you mean 'email'?)"),
        ({"include": "("}, "log-opt 'include': '(' is not a regular expression"),
        ({"include.x": "("}, "log-opt 'include.x': '(' is not a regular expression"),
        ({"include.": "a"}, "log-opt 'include.' needs a name behind the dot, such as 'include.1'"),
        ({"parse-pattern": "(a)"}, "log-opt 'parse-pattern': '(a)' names no field (write groups as (?P<name>…))"),
        ({"min-level": "loud"}, "log-opt 'min-level': 'loud' is not one of trace, debug, info"),
        ({"sample": "2"}, "log-opt 'sample': '2' is not a share"),
        ({"sample": "nan"}, "log-opt 'sample': 'nan' is not a share"),
        ({"rate-limit": "10"}, "log-opt 'rate-limit': '10' is not a rate (examples: 1000/s, 500/m)"),
        ({"rate-limit": "0/s"}, "log-opt 'rate-limit': '0/s' is not a rate"),
        ({"add-field.a": "{{.Nam}}"}, "log-opt 'add-field.a': "),
        ({"multiline-datetime-format": "%Q"}, "has the directive '%Q' (known are %a"),
        (
            {"multiline-pattern": "a", "awslogs-datetime-format": "%Y"},
            "log-opts multiline-pattern and awslogs-datetime-format both say how a record begins: give one of them",
        ),
        ({"multiline-pattern": "a", "multiline": "go"}, "multiline and multiline-pattern exclude each other"),
        ({"multiline-mode": "halt_with"}, "log-opt multiline-mode=halt_with needs log-opt multiline-pattern"),
        ({"multiline-start": "a"}, "log-opt multiline-start needs log-opt multiline-pattern"),
        ({"multiline-start": "a", "multiline-pattern": "b"}, "log-opt multiline-start is for the other modes"),
        ({"min-level": "info", "detect-level": "false"}, "log-opt min-level needs levels"),
        ({"rate-limit-burst": "5"}, "log-opt rate-limit-burst needs log-opt rate-limit"),
        ({"sample-all": "true"}, "log-opt sample-all needs log-opt sample"),
        ({"sink": "include=http"}, "'include' is taken, log-opts begin with 'include.' themselves"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, str], fault: str) -> None:
    assert any(fault in found for found in faults(given)), faults(given)


def test_all_faults_are_said_at_once() -> None:
    assert len(faults({"multiline": "x", "include": "(", "sample": "9", "redakt": "email"})) == 4


def test_a_fault_of_old_makes_the_sink_faulty_rather_than_send_what_was_to_be_redacted() -> None:
    loaded, _ = validate_leniently({"http-url": "http://a", "redact": "what-was-known-once"}, None, schema())

    assert any("redact" in fault for fault in loaded.sinks[0].faults)


def test_the_shaping_of_records_does_not_change_a_journal() -> None:
    assert validate({"redact": "email"}, None, JOURNAL_ONLY).sinks == ()


def test_the_table_of_dates_is_the_one_of_docker() -> None:
    assert datetime_pattern(r"\[%b %d, %Y %H:%M:%S\]") == (
        r"\[(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?:0[1-9]|[1,2][0-9]|3[0,1]), "
        r"\d{4} (?:[0,1][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\]"
    )
