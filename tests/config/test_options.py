"""Log-opts are read into typed values, or answered with every fault that they have."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config import types
from plugin.config.common_options import COMMON_OPTIONS, JOURNAL_ONLY, RecordOptions
from plugin.config.options import ContainerOptions, SinkChoice, defaults_faults, validate, validate_leniently
from plugin.config.schema import Option, Schema, SinkOptions
from plugin.config.secrets import Secret
from plugin.errors import OptionError

# Two sinks as a later version might declare them, with all that a declaration can say.


class Pigeon(SinkOptions):
    name = "pigeon"
    prefix = "pigeon-"
    help = "Sends records by pigeon."
    defaults: ClassVar[Mapping[str, str]] = {"tag": "{{.FullID}}"}
    keeps_empty = frozenset({"tag"})

    url = Option(name="pigeon-url", kind=types.TEXT, required=True, help="The loft.")
    token = Option(name="pigeon-token", kind=types.SECRET, required=True, help="What opens it.")
    seed: Option[Secret | None] = Option(name="pigeon-seed", kind=types.SECRET, help="What the pigeons eat.")
    speed: Option[int | None] = Option(name="pigeon-speed", kind=types.integer(low=1), help="Miles an hour.")
    rings = Option(name="pigeon-rings", kind=types.BOOLEAN, default="true", help="Whether they wear rings.")
    wait: Option[float | None] = Option(
        name="pigeon-wait", kind=types.duration(), help="How long.", stands_for="batch-wait"
    )
    async_: Option[bool | None] = Option(
        name="pigeon-async", kind=types.BOOLEAN, help="Nothing.", superseded="the journal buffers"
    )
    no_nest: Option[bool | None] = Option(name="no-nest", kind=types.BOOLEAN, help="An option without the prefix.")

    def check(self) -> Iterator[str]:
        if self.rings and (self.speed or 0) > 100:
            yield "log-opt 'pigeon-speed': above 100 only with pigeon-rings=false"


class Drum(SinkOptions):
    name = "drum"
    prefix = "drum-"
    help = "Sends records by drum."

    beat = Option(name="drum-beat", kind=types.choice("slow", "fast"), default="slow", help="How it is beaten.")


SCHEMA = Schema(COMMON_OPTIONS, (Pigeon, Drum))

REQUIRED = {"pigeon-url": "loft:1", "pigeon-token": "t0ken"}


def faults(config: Mapping[str, str], defaults: Mapping[str, str] | None = None, schema: Schema = SCHEMA) -> list[str]:
    with pytest.raises(OptionError) as caught:
        validate(config, defaults, schema)
    return list(caught.value.faults)


def declare(name: str, **fields: object) -> type[SinkOptions]:
    return type(name, (SinkOptions,), {"name": name, "prefix": f"{name}-", **fields})


def sinks(config: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> dict[str, str]:
    return {choice.instance: choice.sink for choice in validate(config, defaults, SCHEMA).sinks}


def only_sink(config: Mapping[str, str], defaults: Mapping[str, str] | None = None) -> SinkChoice:
    (choice,) = validate(config, defaults, SCHEMA).sinks
    return choice


def common_values(config: Mapping[str, str]) -> dict[str, Any]:
    """Read the options that are not one sink's, as a sink has them that declares no defaults of its own."""
    choice = only_sink({"sink": "drum"} | dict(config))
    return {
        option.name: options.value_of(option)
        for options in (choice.records, choice.delivery)
        for option in options.options
    }


def pigeon_of(choice: SinkChoice) -> Pigeon:
    assert isinstance(choice.options, Pigeon)
    return choice.options


def journal_of(**values: object) -> ContainerOptions:
    return ContainerOptions({name.replace("_", "-"): value for name, value in values.items()})


class TestCommonOptions:
    def test_without_any_the_journal_has_the_bounds_of_dockers_local_driver(self) -> None:
        assert validate({}) == journal_of(
            max_size=20 * 1024 * 1024,
            max_file=5,
            compress=True,
            max_age=None,
            buffer_limit=1_000_000_000,
            overflow="drop-oldest",
            fsync_interval=None,
        )

    def test_those_of_the_journal_are_read(self) -> None:
        options = validate(
            {
                "max-size": "20m",
                "max-file": "1",
                "compress": "F",
                "max-age": "720h",
                "buffer-limit": "1.5g",
                "overflow": "throttle",
                "fsync-interval": "1s",
            }
        )
        assert options == journal_of(
            max_size=20_000_000,
            max_file=1,
            compress=False,
            max_age=2_592_000.0,
            buffer_limit=1_500_000_000,
            overflow="throttle",
            fsync_interval=1.0,
        )

    def test_a_sink_has_the_others_by_default(self) -> None:
        assert common_values({}) == {
            "tag": "{{.ID}}",
            "labels": "",
            "labels-regex": "",
            "env": "",
            "env-regex": "",
            "batch-wait": 1.0,
            "batch-size": 1_000_000,
            "retry-min": 0.5,
            "retry-max": 300.0,
        }

    def test_those_of_a_sink_are_read(self) -> None:
        read = common_values(
            {
                "tag": "{{.Name}}",
                "labels": "a, b",
                "labels-regex": "^com\\.",
                "env": "A",
                "env-regex": "^B",
                "batch-wait": "0",
                "batch-size": "2m",
                "retry-min": "1s",
                "retry-max": "1m",
            }
        )
        assert read == {
            "tag": "{{.Name}}",
            "labels": "a, b",
            "labels-regex": "^com\\.",
            "env": "A",
            "env-regex": "^B",
            "batch-wait": 0.0,
            "batch-size": 2_000_000,
            "retry-min": 1.0,
            "retry-max": 60.0,
        }

    def test_a_single_file_needs_no_option_against_compression(self) -> None:
        options = validate({"max-file": "1"})
        assert options.compress

    def test_the_first_pause_is_never_longer_than_the_longest(self) -> None:
        assert common_values({"retry-max": "100ms"})["retry-min"] == 0.1

    @pytest.mark.parametrize(
        "name",
        ["max-size", "max-file", "compress", "max-age", "overflow", "tag", "labels", "env-regex", "batch-wait"],
    )
    def test_an_empty_value_stands_for_the_default(self, name: str) -> None:
        drum = {"sink": "drum"}
        assert validate({**drum, name: ""}, schema=SCHEMA) == validate(drum, schema=SCHEMA)

    def test_what_the_engine_acts_upon_is_accepted(self) -> None:
        engines = {
            "mode": "non-blocking",
            "max-buffer-size": "4m",
            "cache-disabled": "true",
            "cache-max-size": "20m",
            "cache-of-a-later-engine": "x",
        }
        assert validate(engines) == validate({})


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "value", "fault"),
        [
            ("max-size", "20x", "log-opt 'max-size': '20x' is not a size (examples: 512k, 20m, 1g)"),
            (
                "max-size",
                "0",
                "log-opt 'max-size': '0' is no bound: leave the option away, or give a large one (such as 100g)",
            ),
            (
                "max-size",
                "-1",
                "log-opt 'max-size': '-1' is no bound: leave the option away, or give a large one (such as 100g)",
            ),
            (
                "max-file",
                "0",
                "log-opt 'max-file': '0' is out of range (expected: a whole number of at least 1)",
            ),
            ("max-file", "five", "log-opt 'max-file': 'five' is not a whole number of at least 1"),
            (
                "compress",
                "yes",
                "log-opt 'compress': 'yes' is not a boolean (accepted: 1 t T TRUE true True 0 f F FALSE false False)",
            ),
            (
                "overflow",
                "drop",
                "log-opt 'overflow': 'drop' is not one of drop-oldest, throttle",
            ),
            (
                "max-age",
                "30d",
                "log-opt 'max-age': '30d' is not a duration (examples: 500ms, 10s, 1m30s, 168h)",
            ),
            ("max-age", "-1h", "log-opt 'max-age': '-1h' is too short (at least 1s)"),
            ("batch-wait", "-1s", "log-opt 'batch-wait': '-1s' is too short (must not be negative)"),
            (
                "tag",
                "{{.Nmae}}",
                "log-opt 'tag': unknown field '.Nmae' in '{{.Nmae}}' (did you mean '.Name'?)",
            ),
        ],
    )
    def test_a_bad_value_is_answered_with_what_is_accepted(self, name: str, value: str, fault: str) -> None:
        assert faults({name: value}, schema=JOURNAL_ONLY) == [fault]

    @pytest.mark.parametrize("name", ["labels-regex", "env-regex"])
    def test_a_bad_pattern_is_a_fault(self, name: str) -> None:
        (fault,) = faults({name: "a(b"})
        assert fault.startswith(f"log-opt '{name}': ")
        assert "a(b" in fault

    @pytest.mark.parametrize(
        ("name", "fault"),
        [
            ("pigeon-ur", "unknown log-opt 'pigeon-ur' (did you mean 'pigeon-url'?)"),
            ("maxsize", "unknown log-opt 'maxsize' (did you mean 'max-size'?)"),
            ("MAX-SIZE", "unknown log-opt 'MAX-SIZE' (did you mean 'max-size'?)"),
            ("gelf-address", "unknown log-opt 'gelf-address'"),
            ("a\nb", "unknown log-opt 'a\\nb'"),
            ("", "unknown log-opt ''"),
            (".", "unknown log-opt '.'"),
            ("audit.max-size", "log-opt 'audit.max-size': max-size cannot differ between sinks (write 'max-size')"),
            ("audit.pigeon-ur", "unknown log-opt 'audit.pigeon-ur' (did you mean 'audit.pigeon-url'?)"),
        ],
    )
    def test_an_unknown_name_is_answered_with_the_closest_known_one(self, name: str, fault: str) -> None:
        assert faults({name: "x"}) == [fault]

    def test_all_are_reported_together(self) -> None:
        with pytest.raises(OptionError) as caught:
            validate({"max-size": "20x", "tga": "x", "max-file": "0", "sink": "carrier"}, schema=SCHEMA)
        assert [fault.split(":")[0] for fault in caught.value.faults] == [
            "unknown log-opt 'tga' (did you mean 'tag'?)",
            "log-opt 'max-size'",
            "log-opt 'max-file'",
            "unknown sink 'carrier' (known sinks",
        ]
        assert str(caught.value) == "; ".join(caught.value.faults)

    def test_an_option_is_checked_also_where_another_wins(self) -> None:
        assert len(faults({"sink": "drum", "drum-beat": "wild", "drum.drum-beat": "fast"})) == 1

    def test_each_is_reported_once_though_several_sinks_share_the_option(self) -> None:
        assert len(faults({"sink": "drum,war=drum", "drum-beat": "wild", "batch-wait": "x"})) == 2

    @given(
        st.dictionaries(st.sampled_from([*SCHEMA.names(), "audit.pigeon-url", "cache-x"]) | st.text(), st.text()),
        st.dictionaries(st.sampled_from([*SCHEMA.names(), "audit.tag"]) | st.text(), st.text()),
    )
    def test_any_log_opts_are_read_or_refused(self, config: dict[str, str], defaults: dict[str, str]) -> None:
        options, found = validate_leniently(config, defaults, SCHEMA)
        assert isinstance(options.max_size, int)
        assert all(fault.isprintable() for fault in found)
        assert {fault for sink in options.sinks for fault in sink.faults} <= set(found)


class TestLimits:
    def test_a_value_that_is_too_long_is_refused_before_anything_reads_it(self) -> None:
        assert faults({"labels": "x" * 65_537}) == [
            "log-opt 'labels': its value has 65,537 characters, at most 65,536 are accepted"
        ]
        validate({"labels": "x" * 65_536})

    def test_so_is_a_secret_without_showing_it(self) -> None:
        (fault,) = faults({**REQUIRED, "pigeon-seed": "s" * 65_537})
        assert "sss" not in fault

    def test_the_sink_of_one_accepted_once_is_at_fault(self) -> None:
        options, _ = validate_leniently({**REQUIRED, "pigeon-url": "x" * 65_537}, {}, SCHEMA)
        assert "65,537 characters" in options.sinks[0].faults[0]

    def test_all_together_are_bounded(self) -> None:
        many = {f"cache-{number}": "x" * 60_000 for number in range(5)}
        assert faults(many) == ["the log-opts have 300,035 characters, at most 262,144 are accepted"]
        assert faults({}, many) == [
            "the log-opts of PEAVEY_LOG_OPTS have 300,035 characters, at most 262,144 are accepted"
        ]

    def test_so_are_the_sinks(self) -> None:
        assert faults({"sink": ",".join(f"d{number}=drum" for number in range(17))}) == [
            "17 sinks are chosen, at most 16 are accepted"
        ]
        validate({"sink": ",".join(f"d{number}=drum" for number in range(16))}, schema=SCHEMA)

    def test_of_many_faults_a_message_shows_as_many_as_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        guesses = []
        monkeypatch.setattr("plugin.config.layers.closest_name", lambda name, _: guesses.append(name))
        with pytest.raises(OptionError) as caught:
            validate({f"unknown-{number}": "" for number in range(5_000)}, schema=SCHEMA)
        assert len(caught.value.faults) == 5_000
        assert str(caught.value).endswith("; and 4,980 more faults")
        assert len(str(caught.value)) < 2_000
        assert len(guesses) == 16, "guessing compares with every known name"

    def test_a_fault_is_not_as_long_as_the_value(self) -> None:
        (fault,) = faults({"labels-regex": "(" * 60_000})
        assert len(fault) < 1_200

    def test_a_costly_value_is_read_once_whoever_gives_it(self) -> None:
        reads = []

        def parse(text: str) -> str:
            reads.append(text)
            if text.endswith("!"):
                raise ValueError("no")
            return text

        class Owl(SinkOptions):
            name, prefix, help = "owl", "owl-", "Sends by owl."
            rules = Option(name="owl-rules", kind=types.Kind(parse=parse, accepts="text"), help="Rules.", default="")

        schema = Schema(COMMON_OPTIONS, (Owl,))
        reads.clear()
        for _ in range(3):
            validate({"owl-rules": "x" * 300}, schema=schema)
            assert len(faults({"owl-rules": "x" * 300 + "!"}, schema=schema)) == 1
        assert len(reads) == 2


class TestChoosingSinks:
    def test_no_option_of_a_sink_chooses_none(self) -> None:
        assert sinks({"max-size": "1m"}) == {}

    def test_an_option_with_its_prefix_chooses_a_sink(self) -> None:
        assert sinks({"drum-beat": "fast"}) == {"drum": "drum"}

    def test_options_of_two_sinks_choose_both(self) -> None:
        assert sinks({**REQUIRED, "drum-beat": "fast"}) == {"pigeon": "pigeon", "drum": "drum"}

    def test_naming_chooses_a_sink_without_options(self) -> None:
        assert sinks({"sink": "drum"}) == {"drum": "drum"}

    def test_two_of_a_kind_have_their_own_names(self) -> None:
        config = {
            **REQUIRED,
            "sink": "pigeon, audit=pigeon, drum",
            "audit.pigeon-url": "attic:2",
            "audit.pigeon-speed": "5",
        }
        options = validate(config, schema=SCHEMA)
        assert [(choice.instance, choice.sink) for choice in options.sinks] == [
            ("pigeon", "pigeon"),
            ("audit", "pigeon"),
            ("drum", "drum"),
        ]
        pigeon, audit, _ = options.sinks
        assert (pigeon_of(pigeon).url, pigeon_of(pigeon).speed) == ("loft:1", None)
        assert (pigeon_of(audit).url, pigeon_of(audit).speed) == ("attic:2", 5)
        assert pigeon_of(audit).token == Secret("t0ken")

    def test_a_sinks_own_name_is_an_instance_too(self) -> None:
        assert pigeon_of(only_sink({**REQUIRED, "pigeon.pigeon-url": "attic:2"})).url == "attic:2"

    @pytest.mark.parametrize(
        ("config", "fault"),
        [
            ({"sink": "loki"}, "unknown sink 'loki' (known sinks: drum, pigeon)"),
            ({"sink": "pigoen"}, "unknown sink 'pigoen' (did you mean 'pigeon'? known sinks: drum, pigeon)"),
            (
                {"sink": "drum", "pigeon-url": "x", "max-size": "1m"},
                "log-opt 'pigeon-url' is for sink 'pigeon', which log-opt 'sink' does not name",
            ),
            ({"no-nest": "1"}, "log-opt 'no-nest' is for sink 'pigeon', which is not chosen (add sink=pigeon)"),
            (
                {"audit.pigeon-url": "x"},
                "log-opt 'audit.pigeon-url': no sink is called 'audit' (log-opt 'sink' must name it: audit=pigeon)",
            ),
            (
                {"audit.tag": "x"},
                "log-opt 'audit.tag': no sink is called 'audit' (log-opt 'sink' must name it: audit=SINK)",
            ),
            (
                {"sink": "audit=drum,pigeon", **REQUIRED, "audit.pigeon-url": "x"},
                "log-opt 'audit.pigeon-url' is for sink 'pigeon', but 'audit' is a drum",
            ),
            (
                {"sink": "drum,drum"},
                "log-opt 'sink': 'drum' is named twice (a second one needs its own name: audit=drum)",
            ),
            (
                {"sink": "pigeon=drum"},
                "log-opt 'sink': 'pigeon' is a sink itself, so 'drum' needs another name",
            ),
            (
                {"sink": "../up=drum"},
                "log-opt 'sink': '../up' is not a name (lower-case letters, digits, - and _; at most 64)",
            ),
            ({"sink": "audit="}, "log-opt 'sink': 'audit=' names no sink (expected: NAME=SINK)"),
        ],
    )
    def test_a_wrong_choice_is_a_fault(self, config: dict[str, str], fault: str) -> None:
        assert faults(config) == [fault]

    def test_options_of_a_sink_that_is_misspelt_are_no_further_faults(self) -> None:
        assert len(faults({"sink": "pigoen", **REQUIRED})) == 1
        assert len(faults({"sink": "Drum Roll=drum", "drum-beat": "fast"})) == 1

    def test_an_empty_option_of_a_sink_that_is_not_named_is_no_fault(self) -> None:
        assert sinks({"sink": "drum", "pigeon-url": "", "no-nest": ""}) == {"drum": "drum"}

    def test_without_any_sink_in_this_version_none_is_known(self) -> None:
        assert faults({"sink": "loki"}, schema=JOURNAL_ONLY) == ["unknown sink 'loki' (known sinks: none)"]

    def test_a_sink_without_a_required_option_is_a_fault(self) -> None:
        assert faults({"pigeon-url": "loft:1"}) == ["sink 'pigeon' needs log-opt 'pigeon-token'"]
        assert faults({**REQUIRED, "pigeon-token": ""}) == ["sink 'pigeon' needs log-opt 'pigeon-token'"]
        assert faults({**REQUIRED, "pigeon-url": ""}) == ["sink 'pigeon' needs log-opt 'pigeon-url'"]
        assert faults({"sink": "audit=pigeon"}) == [
            "sink 'audit' needs log-opt 'pigeon-url'",
            "sink 'audit' needs log-opt 'pigeon-token'",
        ]

    def test_a_required_option_that_is_misspelt_is_one_fault(self) -> None:
        assert faults({"pigeon-url": "loft:1", "pigeon-tokn": "x"}) == [
            "unknown log-opt 'pigeon-tokn' (did you mean 'pigeon-token'?)"
        ]

    def test_a_sink_checks_what_does_not_go_together(self) -> None:
        config = {**REQUIRED, "pigeon-speed": "120"}
        assert faults(config) == ["log-opt 'pigeon-speed': above 100 only with pigeon-rings=false"]
        assert pigeon_of(only_sink({**config, "pigeon-rings": "false"})).speed == 120

    def test_a_sink_does_not_check_what_a_misspelt_option_may_have_been_meant_to_be(self) -> None:
        assert faults({**REQUIRED, "pigeon-speed": "120", "pigeon-rigns": "false"}) == [
            "unknown log-opt 'pigeon-rigns' (did you mean 'pigeon-rings'?)"
        ]

    def test_an_option_that_peavey_has_taken_over_is_accepted_with_a_note(self) -> None:
        options = validate({**REQUIRED, "pigeon-async": "true"}, schema=SCHEMA)
        assert options.notes == ("log-opt 'pigeon-async': the journal buffers",)


class TestValuesOfASink:
    def test_options_that_are_not_given_have_their_defaults(self) -> None:
        choice = only_sink(REQUIRED)
        assert pigeon_of(choice).rings is True
        assert pigeon_of(choice).speed is None

    def test_texts_are_kept_as_given_and_secrets_wrapped(self) -> None:
        choice = only_sink({**REQUIRED, "pigeon-speed": "007"})
        assert choice.raw == {"pigeon-url": "loft:1", "pigeon-token": Secret("t0ken"), "pigeon-speed": "007"}

    def test_they_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            pigeon_of(only_sink(REQUIRED)).url = "x"  # type: ignore[assignment]

    @pytest.mark.parametrize(
        ("config", "wait"),
        [
            ({}, 1.0),
            ({"batch-wait": "2s"}, 2.0),
            ({"batch-wait": "2s", "pigeon-wait": "3s"}, 3.0),
            ({"pigeon-wait": "3s", "pigeon.pigeon-wait": "4s"}, 4.0),
            ({"pigeon.pigeon-wait": "4s", "pigeon.batch-wait": "5s"}, 5.0),
        ],
    )
    def test_its_own_option_wins_over_the_common_one_it_stands_for(self, config: dict[str, str], wait: float) -> None:
        assert only_sink({**REQUIRED, **config}).delivery.batch_wait == wait

    def test_another_sink_has_the_common_value_beside_it(self) -> None:
        both = {**REQUIRED, "pigeon-wait": "3s", "sink": "pigeon,drum"}
        assert [choice.delivery.batch_wait for choice in validate(both, schema=SCHEMA).sinks] == [3.0, 1.0]

    @pytest.mark.parametrize(
        ("config", "tag"),
        [({}, "{{.FullID}}"), ({"tag": "x"}, "x"), ({"tag": "x", "pigeon.tag": "y"}, "y"), ({"tag": ""}, "")],
    )
    def test_its_tag_may_differ_in_default_and_in_what_empty_means(self, config: dict[str, str], tag: str) -> None:
        assert only_sink({**REQUIRED, **config}).records.tag == tag

    def test_an_empty_tag_is_the_default_for_other_sinks(self) -> None:
        assert only_sink({"sink": "drum", "tag": ""}).records.tag == "{{.ID}}"

    def test_its_first_pause_is_never_longer_than_its_longest(self) -> None:
        choice = only_sink({"sink": "drum", "drum.retry-max": "100ms"})
        assert choice.delivery.retry_min == 0.1


class TestSecrets:
    def test_a_secret_is_read_from_the_file_that_its_twin_names(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("t0ken\n")
        choice = only_sink({"pigeon-url": "loft:1", "pigeon-token-file": str(file)})
        assert pigeon_of(choice).token == Secret("t0ken")
        assert choice.raw["pigeon-token-file"] == str(file)

    def test_a_missing_file_is_answered_with_how_a_managed_plugin_sees_files(self) -> None:
        (fault,) = faults({"pigeon-url": "loft:1", "pigeon-token-file": "/nowhere/token"})
        assert fault == (
            "log-opt 'pigeon-token-file': cannot read '/nowhere/token': No such file or directory "
            "(a managed plugin sees only one folder of the host, as /etc/peavey; "
            "'docker plugin set peavey files.source=FOLDER' says which one)"
        )

    def test_the_twins_exclude_each_other(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("t0ken")
        assert faults({**REQUIRED, "pigeon-token-file": str(file)}) == [
            "log-opt 'pigeon-token' and log-opt 'pigeon-token-file' say the same: give one of them"
        ]

    def test_an_instance_may_have_a_file_of_its_own(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("other")
        config = {**REQUIRED, "sink": "pigeon,audit=pigeon", "audit.pigeon-token-file": str(file)}
        _, audit = validate(config, schema=SCHEMA).sinks
        assert pigeon_of(audit).token == Secret("other")

    def test_a_misspelt_twin_is_answered_with_the_right_one(self) -> None:
        assert faults({"pigeon-tokn-file": "/x"}) == [
            "unknown log-opt 'pigeon-tokn-file' (did you mean 'pigeon-token-file'?)"
        ]

    def test_an_option_that_is_no_secret_has_no_twin(self) -> None:
        assert faults({"pigeon-speed-file": "/x"})[0].startswith("unknown log-opt 'pigeon-speed-file'")

    @given(st.text(alphabet="SECRT", min_size=12))
    def test_a_secret_is_in_no_text_that_is_made_of_options_or_faults(self, secret: str) -> None:
        config = {"pigeon-token": secret, "audit.pigeon-token": secret, "pigeon-seed": secret, "pigeon-tokn": secret}
        config |= {"sink": "pigeon,drum", "pigeon-speed": "fast"}
        options, found = validate_leniently(config, {"pigeon-token": secret}, SCHEMA)
        assert found
        for text in (str(found), repr(options), str(options.sinks), repr(options.sinks[0].options)):
            assert secret not in text
        assert secret not in repr([dict(sink.raw) for sink in options.sinks])

    def test_a_secret_that_its_own_kind_refuses_is_not_shown(self) -> None:
        def parse(text: str) -> Secret:
            raise ValueError(f"bad: {text}")

        pin = Option(name="safe-pin", kind=types.Kind(parse=parse, accepts="four digits", secret=True), help="A PIN.")
        schema = Schema(COMMON_OPTIONS, (declare("safe", pin=pin),))
        assert faults({"safe-pin": "t0ken"}, schema=schema) == [
            "log-opt 'safe-pin': not accepted (expected: four digits)"
        ]


class TestPluginWideDefaults:
    def test_they_hold_where_a_container_says_nothing(self) -> None:
        options = validate({"max-file": "7"}, {"max-file": "3", "max-size": "1m"})
        assert (options.max_file, options.max_size) == (7, 1_000_000)

    def test_an_empty_value_of_the_containers_own_stands_for_the_built_in_default(self) -> None:
        assert validate({"max-age": ""}, {"max-age": "24h"}).max_age is None

    def test_they_choose_sinks_and_a_container_may_add_one(self) -> None:
        assert sinks({}, REQUIRED) == {"pigeon": "pigeon"}
        assert sinks({"drum-beat": "fast"}, REQUIRED) == {"drum": "drum", "pigeon": "pigeon"}
        assert sinks({"drum-beat": "fast"}, {**REQUIRED, "sink": "pigeon"}) == {"pigeon": "pigeon", "drum": "drum"}

        sink = {"sink": "audit=pigeon", "pigeon-token": "t0ken"}
        assert sinks({"pigeon-url": "loft:1"}, sink) == {"audit": "pigeon"}

    @pytest.mark.parametrize(
        ("config", "defaults", "expected"),
        [
            ({"drum-beat": "fast"}, REQUIRED, {"drum": True, "pigeon": False}),
            ({"pigeon-speed": "7"}, REQUIRED, {"pigeon": True}),
            ({"batch-wait": "2s"}, REQUIRED, {"pigeon": False}),
            (REQUIRED, {}, {"pigeon": True}),
            ({"sink": "pigeon"}, REQUIRED, {"pigeon": True}),
            ({"pigeon-rings": "false"}, REQUIRED | {"sink": "pigeon,more=pigeon"}, {"pigeon": True, "more": False}),
        ],
    )
    def test_it_is_known_which_sinks_only_they_choose(
        self, config: dict[str, str], defaults: dict[str, str], expected: dict[str, bool]
    ) -> None:
        options = validate(config, defaults, SCHEMA)
        assert {choice.instance: choice.own for choice in options.sinks} == expected

    def test_a_container_that_names_its_sinks_has_no_others(self) -> None:
        assert sinks({"sink": "drum"}, {**REQUIRED, "audit.pigeon-url": "x"}) == {"drum": "drum"}
        assert sinks({"sink": ""}, REQUIRED) == {}

    def test_a_container_may_complete_what_they_begin(self) -> None:
        choice = only_sink({"pigeon-token": "own"}, {"pigeon-url": "loft:1"})
        assert (pigeon_of(choice).url, pigeon_of(choice).token) == ("loft:1", Secret("own"))

    def test_a_containers_own_secret_wins_over_their_file(self) -> None:
        choice = only_sink({"pigeon-token": "own"}, {"pigeon-url": "loft:1", "pigeon-token-file": "/nowhere"})
        assert pigeon_of(choice).token == Secret("own")

    def test_a_fault_in_them_says_where_it_comes_from(self) -> None:
        (fault,) = faults({}, {"pigeon-url": "loft:1", "pigeon-token-file": "/nowhere"})
        assert fault.startswith("log-opt 'pigeon-token-file' of PEAVEY_LOG_OPTS: cannot read '/nowhere'")

    def test_their_faults_show_without_a_container(self) -> None:
        assert defaults_faults({"max-size": "20x", "tga": "x", "sink": "loki"}, SCHEMA) == (
            "unknown log-opt 'tga' (did you mean 'tag'?)",
            "unknown sink 'loki' (known sinks: drum, pigeon)",
            "log-opt 'max-size': '20x' is not a size (examples: 512k, 20m, 1g)",
        )

    def test_what_a_container_may_still_add_is_no_fault_of_theirs(self) -> None:
        assert defaults_faults({"pigeon-url": "loft:1"}, SCHEMA) == ()
        assert defaults_faults({"pigeon-token-file": "/not/yet/there"}, SCHEMA) == ()

    @pytest.mark.parametrize("name", ["mode", "max-buffer-size", "cache-disabled"])
    def test_the_engines_own_options_are_a_fault_there_since_it_does_not_see_them(self, name: str) -> None:
        assert defaults_faults({name: "x"}) == (
            f"log-opt '{name}' is for the engine: set it under log-opts in its daemon.json",
        )


class TestLeniency:
    def test_without_faults_it_agrees_with_validation(self) -> None:
        config = {**REQUIRED, "max-size": "1m"}
        assert validate_leniently(config, {}, SCHEMA) == (validate(config, {}, SCHEMA), ())

    def test_a_common_option_at_fault_has_its_default(self) -> None:
        options, found = validate_leniently({"max-size": "20x", "max-file": "7", "gone": "x", "overflow": "x"})
        assert options == validate({"max-file": "7"})
        assert len(found) == 3

    def test_the_plugin_wide_default_comes_before_the_built_in_one(self) -> None:
        options, _ = validate_leniently({"max-size": "20x"}, {"max-size": "1m"})
        assert options.max_size == 1_000_000

    def test_a_sink_at_fault_is_chosen_with_its_faults(self) -> None:
        options, found = validate_leniently({"pigeon-url": "x", "pigeon-token-file": "/nowhere"}, {}, SCHEMA)
        (choice,) = options.sinks
        assert choice.instance == "pigeon"
        assert choice.faults == found
        assert len(found) == 1

    def test_a_sink_that_is_no_longer_known_is_not_forgotten(self) -> None:
        options, found = validate_leniently({"sink": "drum,audit=loki", "loki-url": "x"}, {}, SCHEMA)
        drum, audit = options.sinks
        assert drum.faults == ()
        assert (audit.instance, audit.sink, audit.faults) == (
            "audit",
            "loki",
            ("unknown sink 'loki' (known sinks: drum, pigeon)",),
        )
        assert set(found) == {"unknown log-opt 'loki-url'", *audit.faults}

    def test_a_sink_is_not_at_fault_for_a_common_option(self) -> None:
        options, found = validate_leniently({"sink": "drum", "batch-wait": "x", "tag": "{{.Nmae}}"}, {}, SCHEMA)
        (choice,) = options.sinks
        assert len(found) == 2
        assert choice.faults == ()
        assert (choice.delivery.batch_wait, choice.records.tag) == (1.0, "{{.ID}}")


class TestDeclarations:
    def test_a_name_may_be_declared_once(self) -> None:
        with pytest.raises(ValueError, match="log-opt tag is declared twice"):
            Schema([RecordOptions.tag, RecordOptions.tag])

    def test_a_twin_takes_a_name_too(self) -> None:
        twin = Option(name="pigeon-token-file", kind=types.TEXT, help="")
        with pytest.raises(ValueError, match="log-opt pigeon-token-file is declared twice"):
            Schema([], [declare("pigeon", token=Pigeon.token, twin=twin)])

    def test_a_sink_may_be_declared_once(self) -> None:
        with pytest.raises(ValueError, match="a sink is declared twice"):
            Schema(COMMON_OPTIONS, (Drum, Drum))

    def test_a_default_must_be_a_value(self) -> None:
        with pytest.raises(ValueError, match="'x' is not a boolean"):
            Schema([Option(name="a", kind=types.BOOLEAN, default="x", help="")])

    @pytest.mark.parametrize(
        "declaration",
        [
            {"defaults": {"nothing": "x"}},
            {"keeps_empty": frozenset({"nothing"})},
            {"y": Option(name="x-y", kind=types.TEXT, help="", stands_for="nothing")},
        ],
    )
    def test_a_sink_refers_to_common_options_that_exist(self, declaration: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="common option nothing, which does not exist"):
            Schema(COMMON_OPTIONS, (declare("x", **declaration),))
