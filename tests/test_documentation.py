"""Examples of the documentation: every log-opt in them is accepted, and every link leads somewhere."""

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
