"""The log-opts that do not belong to one sink: declared here, each once."""

from typing import Any

from plugin.config import types
from plugin.config.parsing import quote
from plugin.config.schema import Option, Options, Schema
from plugin.config.transform_options import TransformOptions
from plugin.config.types import Kind
from plugin.docker.attributes import compile_pattern
from plugin.docker.tag import compile_tag


def _parse_tag(text: str) -> str:
    compile_tag(text)
    return text


def _parse_max_size(text: str) -> int:
    if text in ("0", "-1"):  # what Docker's documentation has for "unlimited"
        raise ValueError(f"{quote(text)} is no bound: leave the option away, or give a large one (such as 100g)")
    return types.size(minimum=1).parse(text)


def _parse_pattern(text: str) -> str:
    compile_pattern(text)
    return text


TAG_KIND = Kind[str](parse=_parse_tag, accepts="Go template")
LARGEST_BATCH = 64_000_000
"""Bytes of journal, which take several times as much memory while they are encoded and sent."""
LONGEST_RETRY = 24 * 3600.0
PATTERN_KIND = Kind[str](parse=_parse_pattern, accepts="RE2 pattern", keeps_empty=True)


class SelectionOptions(Options):
    """Which sinks a container has."""

    sink = Option(
        name="sink",
        kind=Kind[str](parse=str, accepts="names with commas", keeps_empty=True),
        group="sinks",
        help=(
            "Names the sinks outright, where the options alone do not choose them. NAME=SINK makes a second one of a "
            "kind, whose options are written NAME.OPTION. Empty: no sink, whatever other options, those of daemon.json "
            "and the plugin-wide defaults choose."
        ),
    )
    profile = Option(
        name="profile",
        kind=Kind[str](parse=str, accepts="names with commas", keeps_empty=True),
        group="sinks",
        shown_default="what the routes say",
        help=(
            "Profiles of the file PEAVEY_CONFIG whose sinks and log-opts hold for this container, besides its own. "
            "Without it, and without a sink of its own, the routes of that file choose. Empty: none."
        ),
    )


class JournalOptions(Options):
    """The bounds of the journal: sizes in bytes, durations in seconds, None for a limit that is not set."""

    max_size = Option(
        name="max-size",
        kind=Kind[int](parse=_parse_max_size, accepts=types.size().accepts),
        group="journal",
        default=str(20 * 1024 * 1024),
        shown_default="20 MiB",
        help="How large a file of the container's journal may grow before the next one is begun."
        " Files are at least 256 KiB large, see max-file.",
    )
    max_file = Option(
        name="max-file",
        kind=types.integer(low=1),
        group="journal",
        default="5",
        help="How many such files are kept; beyond max-size × max-file the oldest is removed once every sink has"
        " delivered it. Where max-size is below 256 KiB, fewer and larger files hold as much.",
    )
    compress = Option(
        name="compress",
        kind=types.BOOLEAN,
        group="journal",
        default="true",
        help="Whether files that are full are compressed, once every sink has delivered them.",
    )
    max_age: Option[float | None] = Option(
        name="max-age",
        kind=types.duration(minimum=1),
        group="journal",
        shown_default="no limit",
        help="Older lines are removed although there is room for them.",
    )
    buffer_limit = Option(
        name="buffer-limit",
        kind=types.size(minimum=1),
        group="journal",
        default="1g",
        help="How much of the journal may wait to be delivered, beyond max-size × max-file if need be.",
    )
    overflow = Option(
        name="overflow",
        kind=types.choice("drop-oldest", "throttle"),
        group="journal",
        default="drop-oldest",
        help=(
            "What happens at buffer-limit: the oldest undelivered lines are dropped, counted and marked, or the "
            "container "
            "is slowed down (it never stops). A container that is slowed down loses nothing to PEAVEY_DISK_LIMIT and "
            "PEAVEY_DISK_FREE either, until the disk is all but full."
        ),
    )
    fsync_interval: Option[float | None] = Option(
        name="fsync-interval",
        kind=types.duration(minimum=0.01, maximum=24 * 3600),
        group="journal",
        shown_default="never",
        help=(
            "How often the journal is forced to the disk, once a second at most. Lines survive a crash of the plugin "
            "or of the engine without it; a power cut takes what is younger than this, and up to some seconds more."
        ),
    )


class RecordOptions(Options):
    """What goes along with each record."""

    tag = Option(
        name="tag",
        kind=TAG_KIND,
        group="records",
        default="{{.ID}}",
        help=(
            "What a container is called at the destination. Fields and functions as in Docker's tag option: .ID "
            ".FullID "
            ".Name .Command .ImageID .ImageFullID .ImageName .DaemonName .Hostname, if/with/range, printf, join and "
            "others."
        ),
    )
    labels = Option(
        name="labels",
        kind=Kind[str](parse=str, accepts="names with commas", keeps_empty=True),
        group="records",
        default="",
        shown_default="none",
        help="Labels of the container that go along with each record.",
    )
    labels_regex = Option(
        name="labels-regex",
        kind=PATTERN_KIND,
        group="records",
        default="",
        shown_default="none",
        help="A pattern for names of labels that go along as well; it may match anywhere in a name.",
    )
    env = Option(
        name="env",
        kind=Kind[str](parse=str, accepts="names with commas", keeps_empty=True),
        group="records",
        default="",
        shown_default="none",
        help="Environment variables of the container that go along with each record.",
    )
    env_regex = Option(
        name="env-regex",
        kind=PATTERN_KIND,
        group="records",
        default="",
        shown_default="none",
        help="A pattern for names of environment variables that go along as well; it may match anywhere in a name.",
    )


class DeliveryOptions(Options):
    """How records are batched and sent again, in bytes and seconds."""

    batch_wait = Option(
        name="batch-wait",
        kind=types.duration(maximum=3600),
        group="delivery",
        default="1s",
        help="How long records are collected before a batch is sent that is not full.",
    )
    batch_size = Option(
        name="batch-size",
        kind=types.size(minimum=1, maximum=LARGEST_BATCH),
        group="delivery",
        default="1m",
        help="How large a batch may grow before it is sent, at most 64m. Several times as much memory is used for it.",
    )
    retry_min = Option(
        name="retry-min",
        kind=types.duration(minimum=0.001, maximum=LONGEST_RETRY),
        group="delivery",
        default="500ms",
        help="The pause before a failed batch is sent again; it doubles with each failure.",
    )
    retry_max = Option(
        name="retry-max",
        kind=types.duration(minimum=0.001, maximum=LONGEST_RETRY),
        group="delivery",
        default="5m",
        help="The longest such pause; a retry-min above it counts as this.",
    )


class EngineOptions(Options):
    """What the engine itself acts upon."""

    mode = Option(
        name="mode",
        kind=types.TEXT,
        group="engine",
        shown_default="blocking",
        help=(
            "Leave it at blocking, which with Peavey never blocks a container; with non-blocking the engine drops "
            "lines by itself, before Peavey sees them and without a word."
        ),
    )
    max_buffer_size = Option(
        name="max-buffer-size",
        kind=types.TEXT,
        group="engine",
        shown_default="1m",
        help="The engine's own buffer with mode=non-blocking.",
    )
    cache = Option(
        name="cache-*",
        kind=types.TEXT,
        group="engine",
        help=(
            "The engine's cache for log drivers that cannot read back. Peavey can, so that the engine does not use it."
        ),
    )


COMMON_OPTIONS: tuple[Option[Any], ...] = (
    *SelectionOptions.options,
    *JournalOptions.options,
    *RecordOptions.options,
    *TransformOptions.options,
    *DeliveryOptions.options,
    *EngineOptions.options,
)

JOURNAL_ONLY = Schema(COMMON_OPTIONS)
"""The schema without any sink: the journal alone."""
