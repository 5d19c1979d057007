"""Multi-line events: stack traces as programs print them, patterns as in awslogs and Vector, bounds and restarts."""

import math
from pathlib import Path

import pytest

from plugin.config.shaping_kinds import LANGUAGES
from plugin.records.position import Position
from plugin.records.record import Record
from plugin.transforms.multiline_rules import TABLES
from plugin.transforms.pipeline import Pipeline
from tests.transforms.lines import FRAME, START, lines_of, record, records, shaped, stages

DATA = sorted(Path(__file__).with_name("data").glob("*.txt"))


def read(path: Path) -> tuple[str, list[str]]:
    """Read a file of what a program printed: the language of its traces, and the events, parted by ``%%``."""
    head, *events = path.read_text().removesuffix("\n").split("\n%%\n")
    return head.rpartition("multiline=")[2], events


def lines(text: str) -> list[str]:
    return text.strip("\n").split("\n")


class TestTracesOfPrograms:
    @pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
    def test_are_one_record_each(self, path: Path) -> None:
        language, events = read(path)
        printed = "\n".join(events).split("\n")

        assert lines_of(shaped({"multiline": language}, records(printed))) == events

    @pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
    def test_are_found_where_the_language_is_not_named(self, path: Path) -> None:
        _, events = read(path)
        printed = "\n".join(events).split("\n")

        assert lines_of(shaped({"multiline": "auto"}, records(printed))) == events

    @pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
    def test_are_not_joined_for_another_language(self, path: Path) -> None:
        language, events = read(path)
        printed = "\n".join(events).split("\n")
        other = "rust" if language != "rust" else "php"

        assert lines_of(shaped({"multiline": other}, records(printed))) == printed

    @pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
    def test_are_joined_beside_another_stream(self, path: Path) -> None:
        language, events = read(path)
        printed = "\n".join(events).split("\n")
        fed = [record(line, 2 * number, "stderr") for number, line in enumerate(printed)]
        fed += [record("meanwhile", 2 * number + 1) for number in range(len(printed))]
        made = shaped({"multiline": language}, sorted(fed, key=lambda each: each.offset))

        assert lines_of(each for each in made if each.source == "stderr") == events
        assert lines_of(each for each in made if each.source == "stdout") == ["meanwhile"] * len(printed)

    @pytest.mark.parametrize("path", DATA, ids=lambda path: path.stem)
    def test_are_the_same_after_a_kill_at_any_line(self, path: Path) -> None:
        language, events = read(path)
        fed = "\n".join(events).split("\n")
        for killed_at in range(len(fed) + 1):
            assert lines_of(with_a_kill({"multiline": language}, fed, killed_at)) == events, killed_at

    def test_are_known_for_every_language(self) -> None:
        assert tuple(TABLES) == LANGUAGES
        assert {read(path)[0] for path in DATA} == set(LANGUAGES)


def with_a_kill(given: dict[str, str], fed: list[str], killed_at: int) -> list[Record]:
    """Put lines through stages, of which new ones go on behind some line from the position that was reached."""
    first = Pipeline(stages(given), Position(0, 0))
    made = first.feed(records(fed)[:killed_at])
    position = first.position
    second = Pipeline(stages(given), position)
    again = [each for each in records(fed) if position.resume <= each.offset < position.offset]
    second.feed_again(again)
    made += second.feed([each for each in records(fed) if each.offset >= position.offset])
    return made + second.flush(math.inf)


class TestARecordOfSeveralLines:
    def test_has_the_time_and_the_offset_of_the_first(self) -> None:
        made = shaped({"multiline-pattern": "^A"}, records(["A", "b", "A", "c"]))

        assert lines_of(made) == ["A\nb", "A\nc"]
        assert [each.time_nano for each in made] == [START, START + 2_000_000]
        assert [each.offset for each in made] == [0, 2 * FRAME]

    def test_is_no_larger_than_it_may_be(self) -> None:
        made = shaped({"multiline-pattern": "^A", "multiline-max-size": "5"}, records(["A", "bc", "d", "ef", "A"]))

        assert lines_of(made) == ["A\nbc", "d\nef", "A"]

    def test_a_line_that_is_too_large_alone_stays_whole(self) -> None:
        made = shaped({"multiline-pattern": "^A", "multiline-max-size": "5"}, records(["A23456789", "b23456789"]))

        assert lines_of(made) == ["A23456789", "b23456789"]

    def test_has_no_more_lines_than_it_may_have(self) -> None:
        made = shaped({"multiline-pattern": "^A", "multiline-max-lines": "2"}, records(["A", "b", "c", "d", "e"]))

        assert lines_of(made) == ["A\nb", "c\nd", "e"]

    def test_that_was_too_long_is_split_at_the_same_places_after_a_kill(self) -> None:
        given = {"multiline": "java", "multiline-max-lines": "3"}
        fed = ["java.lang.Exception: x", *(f"\tat a.B.c{number}(B.java)" for number in range(10)), "end"]
        expected = lines_of(shaped(given, records(fed)))

        assert [text.count("\n") for text in expected] == [2, 2, 2, 1, 0]
        for killed_at in range(len(fed) + 1):
            assert lines_of(with_a_kill(given, fed, killed_at)) == expected

    def test_that_never_ends_lets_the_journal_go(self) -> None:
        given = {"multiline": "java", "multiline-max-lines": "1"}
        pipeline = Pipeline(stages(given), Position(0, 0))
        pipeline.feed(records(["java.lang.Exception: x", *["\tat a.B.c(B.java)"] * 1000]))

        assert pipeline.position.resume > 900 * FRAME

    def test_waits_for_its_next_line_only_so_long(self) -> None:
        pipeline = Pipeline(stages({"multiline-pattern": "^A", "multiline-wait": "2s"}), Position(0, 0))

        assert pipeline.feed(records(["A", "b"])) == []
        assert pipeline.flush(100.0) == []
        assert pipeline.flush(101.9) == []
        assert lines_of(pipeline.flush(102.0)) == ["A\nb"]
        assert not pipeline.holds

    def test_waits_anew_when_a_line_comes(self) -> None:
        pipeline = Pipeline(stages({"multiline-pattern": "^A", "multiline-wait": "2s"}), Position(0, 0))
        pipeline.feed([record("A", 0)])
        pipeline.flush(100.0)
        pipeline.feed([record("b", 1)])

        assert pipeline.flush(102.0) == []
        assert lines_of(pipeline.flush(104.0)) == ["A\nb"]


class TestPatterns:
    def test_lines_before_the_first_beginning_are_an_event(self) -> None:
        assert lines_of(shaped({"multiline-pattern": "^A"}, records(["b", "c", "A"]))) == ["b\nc", "A"]

    def test_are_found_anywhere_in_a_line_as_by_docker(self) -> None:
        made = shaped({"awslogs-multiline-pattern": "INFO"}, records(["xINFO 1", "a", "INFO 2"]))

        assert lines_of(made) == ["xINFO 1\na", "INFO 2"]

    def test_the_example_of_dockers_documentation(self) -> None:
        printed = [
            "[May 01, 2017 19:00:01] A message was logged",
            "[May 01, 2017 19:00:04] Another multi-line message was logged",
            "Some random message",
            "with some random words",
            "[May 01, 2017 19:01:32] Another message was logged",
        ]
        expected = [printed[0], "\n".join(printed[1:4]), printed[4]]

        form = r"\[%b %d, %Y %H:%M:%S\]"
        assert lines_of(shaped({"awslogs-datetime-format": form}, records(printed))) == expected
        assert lines_of(shaped({"multiline-datetime-format": form}, records(printed))) == expected

    def test_may_be_in_lines_that_are_not_text(self) -> None:
        assert [each.line for each in shaped({"multiline-pattern": "A"}, records([b"\xff\xfeA", b"\xff"]))] == [
            b"\xff\xfeA\n\xff"
        ]

    @pytest.mark.parametrize(
        ("mode", "start", "pattern", "events"),
        [  # after the tests in Vector's src/line_agg.rs
            (
                "continue_through",
                r"^[^\s]",
                r"^[\s]+",
                [
                    "some usual line",
                    "other usual line",
                    "first part\n second part\n last part",
                    "another normal message",
                    "finishing message\n last part of the incomplete finishing message",
                ],
            ),
            (
                "continue_past",
                r"\\$",
                r"\\$",
                [
                    "some usual line",
                    "other usual line",
                    "first part \\\nsecond part \\\nlast part",
                    "another normal message",
                    "finishing \\\nlast part of the incomplete \\",
                ],
            ),
            (
                "halt_before",
                r"^(INFO|ERROR) ",
                r"^(INFO|ERROR) ",
                [
                    "INFO some usual line",
                    "INFO other usual line",
                    "INFO first part\nsecond part\nlast part",
                    "ERROR another normal message",
                    "ERROR finishing\nlast part of the incomplete",
                ],
            ),
            (
                "halt_with",
                r"[^;]$",
                r";$",
                [
                    "some usual line;",
                    "other usual line;",
                    "first part\nsecond part\nlast part;",
                    "another normal message;",
                    "finishing\nlast part of the incomplete",
                ],
            ),
        ],
    )
    def test_modes_mean_what_they_mean_in_vector(self, mode: str, start: str, pattern: str, events: list[str]) -> None:
        given = {"multiline-mode": mode, "multiline-start": start, "multiline-pattern": pattern}
        printed = "\n".join(events).split("\n")

        assert lines_of(shaped(given, records(printed))) == events

    @pytest.mark.parametrize(
        ("mode", "pattern", "events"),
        [
            ("halt_before", "^A", ["x\ny", "A\nb", "A"]),
            ("halt_with", ";$", ["a\nb;", "c;", "d"]),
            ("continue_through", r"^\s", ["a\n b\n c", "d", "e"]),
            ("continue_past", r"\\$", ["a\\\nb", "c", "d\\\ne\\\nf"]),
        ],
    )
    def test_modes_need_no_pattern_for_the_start(self, mode: str, pattern: str, events: list[str]) -> None:
        printed = "\n".join(events).split("\n")

        assert lines_of(shaped({"multiline-mode": mode, "multiline-pattern": pattern}, records(printed))) == events


def test_what_only_looked_like_a_trace_stays_as_it_was() -> None:
    printed = lines("""
ValueError: nothing to see
/app/main.js:17
const x = 1
plain
Traceback (most recent call last):
not a frame at all
java.io.IOException: refused

2026-01-31 going on
panic: x

not a goroutine
/app/main.js:18
/app/main.js:19
""")

    for language in (*LANGUAGES, "auto"):
        made = shaped({"multiline": language}, records(printed))
        assert "\n".join(lines_of(made)).split("\n") == printed
    assert lines_of(shaped({"multiline": "js,python,java,go"}, records(printed))) == printed


def test_a_pattern_with_nested_quantifiers_takes_a_line_of_a_megabyte() -> None:
    fed = records([b"a" * 2**20 + b"!", b"b"])

    assert len(shaped({"multiline-pattern": "^(a+)+$"}, fed)) == 2
