"""The log-opts that shape records on their way to sinks (``plugin.transforms``)."""

from collections.abc import Iterator

from plugin.config import shaping_kinds as kinds
from plugin.config import types
from plugin.config.schema import Family, Option, Options

MODES = ("start", "halt_before", "halt_with", "continue_through", "continue_past")


class TransformOptions(Options):
    """What happens to records between the journal and a sink; durations in seconds, sizes in bytes.

    None or nothing where it is not asked for. Patterns and templates are texts that were compiled once.
    """

    multiline = Option(
        name="multiline",
        kind=kinds.names_of(kinds.LANGUAGES, kinds.AUTO),
        group="shaping",
        default="",
        shown_default="off",
        help=(
            "Joins the lines of stack traces of these languages into one record, with postgres a message and its "
            "details; auto stands for all of them."
        ),
    )
    multiline_pattern: Option[str | None] = Option(
        name="multiline-pattern",
        kind=kinds.PATTERN,
        group="shaping",
        help="A line in which the pattern is found begins a record, all others go on with it (see multiline-mode).",
    )
    multiline_datetime_format: Option[str | None] = Option(
        name="multiline-datetime-format",
        kind=kinds.DATETIME_FORMAT,
        group="shaping",
        help="The same with a date in strftime notation in place of a pattern, as in Docker's awslogs driver.",
    )
    awslogs_multiline_pattern: Option[str | None] = Option(
        name="awslogs-multiline-pattern",
        kind=kinds.PATTERN,
        group="shaping",
        help="Another name of multiline-pattern, as Docker's awslogs driver has it.",
    )
    awslogs_datetime_format: Option[str | None] = Option(
        name="awslogs-datetime-format",
        kind=kinds.DATETIME_FORMAT,
        group="shaping",
        help="Another name of multiline-datetime-format, as Docker's awslogs driver has it.",
    )
    multiline_mode = Option(
        name="multiline-mode",
        kind=types.choice(*MODES),
        group="shaping",
        default="start",
        help=(
            "What a line that matches the pattern does. start: it begins a record. As in Vector: halt_before: it ends "
            "the record before it; halt_with: it is the last one of its record; continue_through: it goes on with the "
            "record; continue_past: it and the line after it do."
        ),
    )
    multiline_start: Option[str | None] = Option(
        name="multiline-start",
        kind=kinds.PATTERN,
        group="shaping",
        shown_default="any line",
        help=(
            "For the modes of Vector: only a line in which this is found begins a record of several lines (Vector's "
            "start_pattern). With continue_past it is the pattern itself unless given."
        ),
    )
    multiline_wait = Option(
        name="multiline-wait",
        kind=types.duration(minimum=0.01, maximum=3600),
        group="shaping",
        default="1s",
        help="How long a record waits for its next line.",
    )
    multiline_max_size = Option(
        name="multiline-max-size",
        kind=types.size(base=1024, minimum=1, maximum=16 * 1024 * 1024),
        group="shaping",
        default="256k",
        help="How large a record of several lines may grow; what is more goes on in the next one. k = 1024.",
    )
    multiline_max_lines = Option(
        name="multiline-max-lines",
        kind=types.integer(low=1, high=100_000),
        group="shaping",
        default="1000",
        help="How many lines a record may have; what is more goes on in the next one.",
    )
    parse = Option(
        name="parse",
        kind=kinds.names_of(kinds.FORMATS, kinds.AUTO),
        group="shaping",
        default="",
        shown_default="off",
        help=(
            "Makes fields of a line in one of these formats, the first that fits; auto stands for all. A line that "
            "fits none goes on as it is."
        ),
    )
    parse_pattern: Option[str | None] = Option(
        name="parse-pattern",
        kind=kinds.PATTERN_OF_FIELDS,
        group="shaping",
        help="Makes fields of what the named groups of the pattern match; tried before the formats of parse.",
    )
    parse_time = Option(
        name="parse-time",
        kind=kinds.NAMES,
        group="shaping",
        default="",
        shown_default="none",
        help=(
            "Fields, the first that fits, whose time becomes the record's: RFC 3339, or a Unix time in seconds to "
            "nanoseconds; auto for the usual names. The order of records remains that of the journal."
        ),
    )
    parse_level = Option(
        name="parse-level",
        kind=kinds.NAMES,
        group="shaping",
        default="level,severity,lvl,log.level,levelname",
        help="Fields, the first that fits, whose level becomes the severity of the record.",
    )
    parse_message = Option(
        name="parse-message",
        kind=kinds.NAMES,
        group="shaping",
        default="message,msg",
        help="Fields, the first that is there, whose text becomes the line of the record, and is no field any more.",
    )
    detect_level: Option[bool | None] = Option(
        name="detect-level",
        kind=types.BOOLEAN,
        group="shaping",
        shown_default="true where parse, min-level or sample is given",
        help=(
            "Whether each record gets a severity: of the parsed level, else as found at the line's beginning (ERROR, "
            "[warn], E0102), else info for stdout and error for stderr."
        ),
    )
    include: Option[str | None] = Option(
        name="include",
        kind=kinds.PATTERN,
        group="shaping",
        help="Only records in whose line the pattern is found are sent. Several: include.1, include.2; one must be.",
    )
    include_more = Family(
        name="include.*",
        kind=kinds.PATTERN,
        group="shaping",
        help="More patterns beside include, any name after the dot.",
    )
    exclude: Option[str | None] = Option(
        name="exclude",
        kind=kinds.PATTERN,
        group="shaping",
        help="Records in whose line the pattern is found are not sent. Several: exclude.1, exclude.2.",
    )
    exclude_more = Family(
        name="exclude.*",
        kind=kinds.PATTERN,
        group="shaping",
        help="More patterns beside exclude, any name after the dot.",
    )
    min_level: Option[str | None] = Option(
        name="min-level",
        kind=types.choice(*kinds.LEVELS, any_case=True),
        group="shaping",
        help="Records below this level are not sent.",
    )
    dedupe: Option[float | None] = Option(
        name="dedupe",
        kind=types.duration(minimum=0.1, maximum=24 * 3600),
        group="shaping",
        help="Equal lines in a row within this time become one record, with how often it came in the field repeated.",
    )
    sample: Option[float | None] = Option(
        name="sample",
        kind=kinds.SHARE,
        group="shaping",
        help="The share of records that is sent, chosen by their ids. Those of warn and above are all sent.",
    )
    sample_all = Option(
        name="sample-all",
        kind=types.BOOLEAN,
        group="shaping",
        default="false",
        help="Whether sample counts for records of warn and above, too.",
    )
    rate_limit: Option[kinds.Rate | None] = Option(
        name="rate-limit",
        kind=kinds.RATE,
        group="shaping",
        help=(
            "How many records of the container are sent per second or minute, by the time at which they were printed. "
            "One record says in place of others how many were dropped."
        ),
    )
    rate_limit_burst: Option[int | None] = Option(
        name="rate-limit-burst",
        kind=types.integer(low=1),
        group="shaping",
        shown_default="one second's, or ten seconds' of a rate per minute",
        help="How many records may come at once.",
    )
    redact = Option(
        name="redact",
        kind=kinds.names_of(kinds.SENSITIVE, kinds.ALL),
        group="shaping",
        default="",
        shown_default="off",
        help="Replaces what looks like one of these, in the line and in fields. The journal keeps what was printed.",
    )
    redact_pattern: Option[str | None] = Option(
        name="redact-pattern",
        kind=kinds.PATTERN,
        group="shaping",
        help="Replaces what the pattern matches, or only its groups if it has any. Several: redact-pattern.1.",
    )
    redact_pattern_more = Family(
        name="redact-pattern.*",
        kind=kinds.PATTERN,
        group="shaping",
        help="More patterns beside redact-pattern; the name after the dot takes the place of {name} in redact-with.",
    )
    redact_with = Option(
        name="redact-with",
        kind=types.TEXT,
        group="shaping",
        default="[REDACTED {name}]",
        help="What stands in place of what is redacted; {name} is what it was.",
    )
    add_field = Family(
        name="add-field.*",
        kind=kinds.TEMPLATE,
        group="shaping",
        help="Adds a field with this name to each record; the value is a template as for tag. One that is there stays.",
    )
    drop_field = Option(
        name="drop-field",
        kind=kinds.NAMES,
        group="shaping",
        default="",
        shown_default="none",
        help="Fields that are not sent.",
    )
    rename_field = Family(
        name="rename-field.*",
        kind=types.TEXT,
        group="shaping",
        help="Gives a field, named after the dot, another name.",
    )

    @property
    def begins_event(self) -> str | None:
        """The pattern of multiline, under whichever name it was given."""
        given = self.multiline_pattern or self.awslogs_multiline_pattern
        form = self.multiline_datetime_format or self.awslogs_datetime_format
        return given or (kinds.datetime_pattern(form) if form else None)

    @property
    def detects_level(self) -> bool:
        """Whether records get a severity."""
        if self.detect_level is not None:
            return self.detect_level
        parses = bool(self.parse or self.parse_pattern)
        return parses or self.min_level is not None or (self.sample is not None and not self.sample_all)

    def check(self) -> Iterator[str]:
        """Yield the faults of options that do not go together."""
        patterns = [
            self.name_of(option)
            for option in (
                TransformOptions.multiline_pattern,
                TransformOptions.multiline_datetime_format,
                TransformOptions.awslogs_multiline_pattern,
                TransformOptions.awslogs_datetime_format,
            )
            if self.value_of(option)
        ]
        if len(patterns) > 1:
            yield f"log-opts {' and '.join(patterns)} both say how a record begins: give one of them"
        if patterns and self.multiline:
            yield f"log-opts multiline and {patterns[0]} exclude each other: give one of them"
        if not patterns:
            if self.multiline_mode != "start":
                yield f"log-opt multiline-mode={self.multiline_mode} needs log-opt multiline-pattern"
            if self.multiline_start:
                yield "log-opt multiline-start needs log-opt multiline-pattern"
        elif self.multiline_start and self.multiline_mode == "start":
            modes = ", ".join(MODES[1:])
            yield f"log-opt multiline-start is for the other modes (multiline-mode: {modes})"
        if self.detect_level is False and self.min_level:
            yield "log-opt min-level needs levels, which detect-level=false leaves out"
        if self.rate_limit_burst is not None and self.rate_limit is None:
            yield "log-opt rate-limit-burst needs log-opt rate-limit"
        if self.sample_all and self.sample is None:
            yield "log-opt sample-all needs log-opt sample"
