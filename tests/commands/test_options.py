"""``peavey options``: the reference of log-opts, for a terminal and as a page."""

import pytest

from plugin.__main__ import main
from plugin.config.options_page import render_markdown, render_terminal
from plugin.sinks.clickhouse.columns import create_table
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


def test_the_statement_for_a_table_of_clickhouse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["options", "--create-table"]) == 0
    assert capsys.readouterr().out == create_table("otel_logs") + ";\n"
    assert main(["options", "--create-table", "logs.lines", "--columns", "at=timestamp,text=line"]) == 0
    assert "CREATE TABLE IF NOT EXISTS `logs`.`lines`\n(\n    `at` DateTime64(9)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (["--create-table", "a b"], "'a b' is not the name of a table (examples: otel_logs, logs.docker)"),
        (["--create-table", "--columns", "a=lime"], "did you mean 'line'"),
    ],
    ids=["table", "column"],
)
def test_a_table_that_cannot_be_is_refused(flags: list[str], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["options", *flags])
    assert ended.value.code == 2
    assert fault in capsys.readouterr().err
