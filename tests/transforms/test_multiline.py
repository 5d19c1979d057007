"""Multi-line events: stack traces as programs print them, patterns as in awslogs and Vector, bounds and restarts."""

import math

import pytest

from plugin.config.shaping_kinds import LANGUAGES
from plugin.records.decoder import Decoder
from plugin.records.position import Position
from plugin.records.record import Record
from plugin.transforms.multiline_rules import TABLES
from plugin.transforms.pipeline import Pipeline
from tests.testbed import standin
from tests.testbed.wire import encode
from tests.transforms.lines import FRAME, START, lines_of, record, records, shaped, stages
from tests.transforms.programs import DATA, PROGRAMS, Program

OF_LANGUAGES = [program for program in PROGRAMS if "multiline" in program.given]
PAUSE = 0.5  # seconds, of a multiline-wait of one
of_each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
of_each_with_a_language = pytest.mark.parametrize("program", OF_LANGUAGES, ids=lambda program: program.name)


def lines(text: str) -> list[str]:
    return text.strip("\n").split("\n")


class TestTracesOfPrograms:
    @of_each_program
    def test_are_one_record_each(self, program: Program) -> None:
        assert lines_of(shaped(program.given, records(program.printed))) == program.events

    @of_each_with_a_language
    def test_are_found_where_the_language_is_not_named(self, program: Program) -> None:
        assert lines_of(shaped({"multiline": "auto"}, records(program.printed))) == program.events

    @of_each_with_a_language
    def test_are_not_joined_for_another_language(self, program: Program) -> None:
        other = "rust" if program.given["multiline"] != "rust" else "php"

        assert lines_of(shaped({"multiline": other}, records(program.printed))) == program.printed

    @pytest.mark.parametrize("number", range(len(OF_LANGUAGES)), ids=[program.name for program in OF_LANGUAGES])
    def test_are_joined_beside_those_of_another_stream(self, number: int) -> None:
        ours, theirs = OF_LANGUAGES[number], OF_LANGUAGES[number - 1]
        fed = [record(line, 2 * at, "stderr") for at, line in enumerate(ours.printed)]
        fed += [record(line, 2 * at + 1, "stdout") for at, line in enumerate(theirs.printed)]
        made = shaped({"multiline": "auto"}, sorted(fed, key=lambda each: each.offset))

        assert lines_of(each for each in made if each.source == "stderr") == ours.events
        assert lines_of(each for each in made if each.source == "stdout") == theirs.events

    @of_each_program
    def test_are_the_same_after_a_kill_at_any_line(self, program: Program) -> None:
        fed = program.printed
        for killed_at in range(len(fed) + 1):
            assert lines_of(with_a_kill(program.given, fed, killed_at)) == program.events, killed_at

    @of_each_program
    def test_are_joined_over_pauses_that_are_short_enough(self, program: Program) -> None:
        pipeline = Pipeline(stages(program.given), Position(0, 0))
        made = []
        for at, fed in enumerate(records(program.printed)):
            made += pipeline.feed([fed]) + pipeline.flush(2 * at * PAUSE) + pipeline.flush((2 * at + 1) * PAUSE)

        assert lines_of(made + pipeline.flush(math.inf)) == program.events

    @of_each_program
    def test_are_cut_by_a_longer_pause_and_nothing_else_happens(self, program: Program) -> None:
        fed = program.printed
        for pause_at in range(1, len(fed)):
            pipeline = Pipeline(stages(program.given), Position(0, 0))
            made = pipeline.feed(records(fed)[:pause_at]) + pipeline.flush(0) + pipeline.flush(1.5)
            assert not pipeline.holds
            assert "\n".join(lines_of(made)).split("\n") == fed[:pause_at]
            made += pipeline.feed(records(fed)[pause_at:]) + pipeline.flush(math.inf)
            assert "\n".join(lines_of(made)).split("\n") == fed

    @of_each_program
    def test_are_joined_though_the_engine_cuts_their_lines(
        self, program: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(standin, "PART_SIZE", 16)

        assert lines_of(shaped(program.given, decoded(program.printed))) == program.events

    def test_may_have_a_message_that_the_engine_cuts(self) -> None:
        trace = ["Traceback (most recent call last):", '  File "a.py", line 1', "ValueError: " + "x" * 40_000]
        fed = decoded(["starting", *trace, "going on"])

        assert lines_of(shaped({"multiline": "auto"}, fed)) == ["starting", "\n".join(trace), "going on"]

    @of_each_program
    def test_are_whole_though_the_last_line_has_no_newline(self, program: Program) -> None:
        fed = decoded(program.printed, newline=False)

        assert lines_of(shaped(program.given, fed)) == program.events

    def test_are_known_for_every_language(self) -> None:
        assert tuple(TABLES) == LANGUAGES
        assert {program.given["multiline"] for program in OF_LANGUAGES} == {*LANGUAGES, "auto"}

    def test_are_told_how_they_were_made(self) -> None:
        told = (DATA / "README.md").read_text()

        assert [program.name for program in PROGRAMS if f"`{program.name}.txt`" not in told] == []


def decoded(printed: list[str], *, newline: bool = True) -> list[Record]:
    """Print lines to stdout of a container; return the records that delivery decodes of the engine's frames."""
    copier = standin.Copier("stdout")
    output = "\n".join(printed).encode() + b"\n" * newline
    frames = b"".join(encode(entry) for entry in [*copier.feed(output), *copier.finish()])
    decoder = Decoder(None, joined=True, first=0)
    assert decoder.feed(frames, 0) == len(frames)
    decoder.flush(len(frames))
    return decoder.take()


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

    def test_the_other_example_of_dockers_documentation(self) -> None:
        events = [
            "INFO A message was logged",
            "INFO Another multi-line message was logged\n     Some random message",
            "INFO Another message was logged",
        ]
        printed = "\n".join(events).split("\n")

        assert lines_of(shaped({"awslogs-multiline-pattern": "^INFO"}, records(printed))) == events

    def test_each_code_of_dockers_documentation_is_found_where_its_example_is(self) -> None:
        codes = {
            "%a": "Mon",
            "%A": "Monday",
            "%w": "0",
            "%d": "08",
            "%b": "Feb",
            "%B": "February",
            "%m": "02",
            "%Y": "2008",
            "%y": "08",
            "%H": "19",
            "%I": "07",
            "%p": "AM",
            "%M": "57",
            "%S": "04",
            "%f": "000345",
            "%z": "+1300",
            "%Z": "PST",
            "%j": "363",
            "%L": ".123",
        }
        for code, text in codes.items():
            fed = records([f"<{text}> one", "more of it", f"<{text}> two"])
            assert len(shaped({"awslogs-datetime-format": f"^<{code}>"}, fed)) == 2, code

    @pytest.mark.parametrize(
        ("given", "events"),
        [  # of the shape of those in Fluent Bit's documentation and tests of parsers of one's own
            (
                {
                    "multiline-start": r"([a-zA-Z]+ \d+ \d+\:\d+\:\d+)(.*)",
                    "multiline-pattern": r"^\s+at.*",
                    "multiline-mode": "continue_through",
                },
                [
                    "single line...",
                    "Dec 14 06:41:08 Exception in it\n    at a.B.c(B.java:22)\n    at a.B.d(B.java:6)",
                    "on",
                ],
            ),
            (
                {"multiline-pattern": r"\\$", "multiline-mode": "continue_past"},
                ["1a. multiline \\\n1b. multiline", "2a. another\\\n2b. another", "3a. not", "4a. not"],
            ),
            (
                {
                    "multiline-start": r"Exception\[",
                    "multiline-pattern": r"^\s+at ",
                    "multiline-mode": "continue_through",
                },
                ["[a test] NotFoundException[no such index]\n    at a.b....\n    at a.b.java:75)", "another line"],
            ),
        ],
        ids=["regex", "endswith", "elastic"],
    )
    def test_parsers_that_fluent_bit_documents_or_tests(self, given: dict[str, str], events: list[str]) -> None:
        assert lines_of(shaped(given, records("\n".join(events).split("\n")))) == events

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
        ("mode", "start", "pattern", "events"),
        [
            (
                "continue_through",
                r"^[^\s]",
                r"^[\s]+at",
                ["java.lang.Exception\n    at a.B.c(B.java:1)\n    at a.B.d(B.java:2)"],
            ),
            (
                "continue_through",
                r"^[^\s]",
                r"^[\s]+from",
                ["a.rb:6:in `/': divided by 0\n\tfrom a.rb:6:in `b'\n\tfrom a.rb:2:in `c'"],
            ),
            # A line that ends one event is looked at anew: it may be one of its own, or begin the next.
            ("continue_through", r"^\s", r"^\s", ["one", " a\n b", "two", " c\n d", "three", "four", " e", "five"]),
            ("halt_before", "", "^START ", ["a\nb", "START 1\nc\nd", "START 2", "START 3\ne", "START 4"]),
            # The line that begins an event is not asked whether it ends it.
            ("halt_with", "^BEGIN", "END$", ["x", "BEGIN END\na\nEND", "y", "BEGIN\nEND", "END"]),
            ("continue_past", r"\\$", r"\\$", ["a\\\n", "b\\\nc", "d"]),
        ],
        ids=["java", "ruby", "continue_through anew", "halt_before anew", "halt_with begun", "continue_past blank"],
    )
    def test_cases_that_vector_documents_or_tests(self, mode: str, start: str, pattern: str, events: list[str]) -> None:
        given = {"multiline-mode": mode, "multiline-pattern": pattern} | ({"multiline-start": start} if start else {})

        assert lines_of(shaped(given, records("\n".join(events).split("\n")))) == events

    @pytest.mark.parametrize(
        ("form", "date"),
        [  # dates as moby tests them, in daemon/logger/awslogs/cloudwatchlogs_test.go
            ("%d/%m/%y %a %H:%M:%S%L %Z", "31/12/10 Mon 08:42:44.345 NZDT"),
            ("%Y-%m-%d %A %I:%M:%S.%f%p%z", "2007-12-04 Monday 08:42:44.123456AM+1200"),
            ("|".join(["%b"] * 12), "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"),
            ("%B %B %B", "January May December"),
            ("%A %A", "Monday Sunday"),
            ("%a %a", "Mon Sun"),
            ("Day of the week: %w, Day of the year: %j", "Day of the week: 4, Day of the year: 091"),
        ],
    )
    def test_dates_are_found_as_by_docker(self, form: str, date: str) -> None:
        fed = records([f"x {date} one", "more of it", f"{date} two"])
        expected = [f"x {date} one\nmore of it", f"{date} two"]

        assert lines_of(shaped({"awslogs-datetime-format": form}, fed)) == expected

    def test_a_line_before_a_pattern_that_never_matches_goes_on_as_by_docker(self) -> None:
        assert lines_of(shaped({"awslogs-multiline-pattern": "xxxx"}, records(["a", "a"]))) == ["a\na"]

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


@pytest.mark.parametrize(
    ("language", "event"),
    [  # of the shape of those in Fluent Bit's documentation and tests (tests/internal/multiline.c)
        (
            "java",
            """Exception in thread "main" java.lang.IllegalStateException: null property
     at com.example.shop.Cart.ids(Cart.java:38)
     at com.example.shop.Main.main(Main.java:14)
Caused by: java.lang.NullPointerException
     at com.example.shop.Item.id(Item.java:22)
     at com.example.shop.Cart.ids(Cart.java:35)
     ... 1 more""",
        ),
        (
            "python",
            """Traceback (most recent call last):
  File "/base/app/shop.py", line 1535, in __call__
    rv = self.handle(request)
  File "/base/app/shop.py", line 5, in get
    raise Exception('spam', 'eggs')
Exception: ('spam', 'eggs')""",
        ),
        (
            "go",
            """panic: my panic

goroutine 4 [running]:
panic(0x45cb40, 0x47ad70)
\t/usr/local/go/src/runtime/panic.go:542 +0x46c fp=0xc42003f7b8 sp=0xc42003f710 pc=0x422f7c
main.main.func1(0xc420024120)
\tshop.go:6 +0x39 fp=0xc42003f7d8 sp=0xc42003f7b8 pc=0x451339
runtime.goexit()
\t/usr/local/go/src/runtime/asm_amd64.s:2337 +0x1 fp=0xc42003f7e0 sp=0xc42003f7d8 pc=0x44b4d1
created by main.main
\tshop.go:5 +0x58

goroutine 1 [chan receive]:
runtime.gopark(0x4739b8, 0xc420024178, 0x46fcd7, 0xc, 0xc420028e17, 0x3)
\t/usr/local/go/src/runtime/proc.go:280 +0x12c fp=0xc420053e30 sp=0xc420053e00 pc=0x42503c
main.main()
\tshop.go:9 +0x6f fp=0xc420053f80 sp=0xc420053f50 pc=0x4512ef

goroutine 2 [force gc (idle)]:
runtime.goparkunlock(0x4ad720, 0x47001e, 0xf, 0xc420000114, 0x1)
\t/usr/local/go/src/runtime/proc.go:286 +0x5e fp=0xc42003e7a8 sp=0xc42003e768 pc=0x42512e
created by runtime.init.4
\t/usr/local/go/src/runtime/proc.go:227 +0x35""",
        ),
        (
            "ruby",
            """/app/config.rb:6:in `/': divided by 0 (ZeroDivisionError)
\tfrom /app/config.rb:6:in `average'
\tfrom /app/config.rb:9:in `<main>'""",
        ),
    ],
    ids=["java", "python", "go", "ruby"],
)
def test_traces_that_fluent_bit_joins(language: str, event: str) -> None:
    printed = ["before", *event.split("\n"), "one more line"]

    for given in (language, "auto"):
        assert lines_of(shaped({"multiline": given}, records(printed))) == ["before", event, "one more line"]


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
