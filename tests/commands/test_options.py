"""``peavey options``: the reference of log-opts, for a terminal and as a page."""

import pytest

from plugin.__main__ import main
from plugin.config.options_page import render_markdown, render_terminal
from plugin.sinks.registry import schema


def test_the_reference_is_printed_as_wide_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["options"]) == 0
    assert capsys.readouterr().out == render_terminal(schema(), width=70)


def test_a_wide_terminal_is_not_used_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    assert main(["options"]) == 0
    assert capsys.readouterr().out == render_terminal(schema(), width=120)


def test_the_page_is_that_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["options", "--markdown"]) == 0
    assert capsys.readouterr().out == render_markdown(schema())
