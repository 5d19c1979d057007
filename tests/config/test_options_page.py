"""The reference of log-opts says what their declarations say, on the terminal and on the page of the documentation."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from plugin.config import types
from plugin.config.common_options import COMMON_OPTIONS
from plugin.config.options_page import render_markdown, render_terminal
from plugin.config.schema import Option, Schema, SinkOptions
from plugin.config.secrets import Secret
from plugin.sinks.registry import schema

PAGE = Path(__file__).parents[2] / "docs" / "log-opts.md"


class Pigeon(SinkOptions):
    name = "pigeon"
    prefix = "pigeon-"
    help = "Sends records by pigeon."
    acknowledged = "The pigeon is back."
    defaults: ClassVar[Mapping[str, str]] = {"tag": "{{.FullID}}"}

    url = Option(name="pigeon-url", kind=types.TEXT, required=True, help="The loft.")
    token: Option[Secret | None] = Option(name="pigeon-token", kind=types.SECRET, help="What opens it.")
    pace = Option(name="pigeon-pace", kind=types.choice("slow", "fast"), default="slow", help="Slow | fast.")


SCHEMA = Schema(COMMON_OPTIONS, (Pigeon,))


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    assert PAGE.read_text() == render_markdown(schema()), "run: peavey options --markdown > docs/log-opts.md"


@pytest.mark.parametrize("sink", schema().sinks, ids=lambda sink: sink.name)
def test_every_sink_is_on_the_page(sink: type[SinkOptions]) -> None:
    assert f"\n## Sink {sink.name}\n" in PAGE.read_text()


@pytest.mark.parametrize("option", COMMON_OPTIONS, ids=lambda option: option.name)
def test_every_common_option_is_in_both(option: Option[object]) -> None:
    name = option.name.replace("*", "…")
    assert f"\n| `{name}` |" in render_markdown()
    assert re.search(rf"\n  {re.escape(name)}\s", render_terminal())


@pytest.mark.parametrize("sink", schema().sinks, ids=lambda sink: sink.name)
def test_every_sink_says_what_its_acknowledgement_is_worth(sink: type[SinkOptions]) -> None:
    assert sink.acknowledged.endswith(".")
    assert f" {sink.acknowledged}" in PAGE.read_text()


def test_a_line_of_the_page_says_name_default_values_and_meaning() -> None:
    page = render_markdown()
    assert "| `max-size` | 20 MiB | size such as 512k, 20m, 1g (k = 1000) | How large " in page
    assert "| `overflow` | `drop-oldest` | drop-oldest or throttle | What happens " in page
    assert "| `max-age` | no limit | duration such as " in page


def test_each_sink_has_a_section() -> None:
    page = render_markdown(SCHEMA)
    assert "## Sink pigeon\n\nSends records by pigeon. Acknowledgement: The pigeon is back. Defaults" in page
    assert "Defaults that differ here: tag {{.FullID}}.\n" in page
    assert "| `pigeon-url` | **required** | text | The loft. |" in page
    assert "| `pigeon-token`, `pigeon-token-file` | – | text | What opens it. Secret; " in page
    assert "| `pigeon-pace` | `slow` | slow or fast | Slow \\| fast. |" in page


def test_the_terminal_shows_a_sink_likewise() -> None:
    section = render_terminal(SCHEMA, width=80).partition("Sink pigeon\n")[2]
    assert section == (
        "  Sends records by pigeon. Acknowledgement: The pigeon is back. Defaults that\n"
        "  differ here: tag {{.FullID}}.\n"
        "\n"
        "  pigeon-url      text; required.\n"
        "                  The loft.\n"
        "\n"
        "  pigeon-token    text; secret, or pigeon-token-file with the path of a file\n"
        "                  that holds it.\n"
        "                  What opens it.\n"
        "\n"
        "  pigeon-pace     slow or fast; default: slow.\n"
        "                  Slow | fast.\n"
    )


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_terminals_width_holds(width: int) -> None:
    assert max(map(len, render_terminal(width=width).splitlines())) <= max(width, 65)


def test_a_terminal_of_no_width_is_no_error() -> None:
    assert "max-size" in render_terminal(width=0)
