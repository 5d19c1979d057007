"""The documentation: every log-opt of an example is accepted, links lead somewhere, tables list every sink."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugin.config.options import validate
from plugin.sinks.registry import schema

REPOSITORY = Path(__file__).parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
STACKS = sorted((REPOSITORY / "docs" / "compose").glob("*.yaml"))

BLOCK = re.compile(r"^```(json|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED_COMPOSE = re.compile(r"^    services:\n(?:    .*\n|\n)+", re.MULTILINE)
OPTION = re.compile(r"--log-opt (?:'([^'\n]+)'|(\S+?=(?:'[^'\n]*'|\S+)))")
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def logging_of(document: Any) -> Iterator[Mapping[str, str]]:
    """Return the log-opts that a Compose file or a daemon.json has for Peavey."""
    if not isinstance(document, dict):
        return
    if document.get("log-driver") == "peavey":
        yield document.get("log-opts", {})
    for service in (document.get("services") or {}).values():
        logging = service.get("logging", {})
        if logging.get("driver") == "peavey":
            yield logging.get("options", {})


def examples(page: Path) -> Iterator[Mapping[str, str]]:
    text = page.read_text()
    for kind, block in BLOCK.findall(text):
        yield from logging_of(json.loads(block) if kind == "json" else yaml.safe_load(block))
    for block in INDENTED_COMPOSE.findall(text):
        yield from logging_of(yaml.safe_load(block))
    for command in re.findall(r"docker run [^\n]*(?:\\\n[^\n]*)*", text):
        if "--log-driver peavey" in command and "…" not in command:
            options = [(quoted or plain).partition("=") for quoted, plain in OPTION.findall(command)]
            yield {name: value.strip("'\"") for name, _, value in options}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_log_opts_of_examples_are_accepted(page: Path) -> None:
    for options in examples(page):
        validate(options, {}, schema())


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_the_log_opts_of_compose_files_are_accepted(stack: Path) -> None:
    found = list(logging_of(yaml.safe_load(stack.read_text())))
    assert found
    for options in found:
        assert validate(options, {}, schema()).sinks


def test_there_are_examples_of_each_kind() -> None:
    found = [options for page in PAGES for options in examples(page)]
    assert any("loki-url" in options for options in found)
    assert any("fluentd-address" in options for options in found)
    assert any("max-size" in options for options in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if fragment:
            assert fragment in map(anchor, HEADING.findall(target.read_text())), link


def section(page: Path, heading: str) -> str:
    """Return the text of a section, up to the next heading of any level."""
    _, _, rest = page.read_text().partition(f"\n## {heading}\n")
    assert rest, heading
    return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text: str) -> list[str]:
    """Return the names in code style in the first cells of a table."""
    return [
        name for row in re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    ]


SINKS = {sink.name for sink in schema().sinks}
GUARANTEES = REPOSITORY / "docs" / "guarantees.md"


def test_the_readme_lists_every_sink_and_what_chooses_it() -> None:
    text = section(REPOSITORY / "README.md", "Sinks")
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", text, re.MULTILINE)
    assert {name for name, _ in rows} == SINKS
    for name, chosen_by in rows:
        for option in re.findall(r"`([^`]+)`", chosen_by):
            known = schema().find(option)
            assert known is not None, option
            assert known.sink is schema().sink(name), option


@pytest.mark.parametrize("heading", ["Time", "Long lines"])
def test_the_tables_of_guarantees_list_every_sink(heading: str) -> None:
    assert set(first_cells(section(GUARANTEES, heading))) & SINKS == SINKS


def test_shaping_says_of_every_sink_where_fields_and_levels_go() -> None:
    text = section(REPOSITORY / "docs" / "shaping.md", "Where fields and levels go")
    assert set(first_cells(text)) & SINKS == SINKS


def test_guarantees_say_of_every_sink_whether_repetitions_have_ids() -> None:
    text = section(GUARANTEES, "Ids")
    assert {name for name in SINKS if f"`{name}`" in text} == SINKS
