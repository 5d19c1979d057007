"""The command line as a whole: which command is meant, and how errors end."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin import __version__
from plugin.__main__ import main
from plugin.commands import logs, options, serve
from plugin.errors import OptionError, PeaveyError

COMMANDS = {"serve": serve, "options": options, "logs": logs}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, argparse.Namespace]]:
    """The commands that were run, none of which does anything."""
    runs: list[tuple[str, argparse.Namespace]] = []

    def note(name: str) -> Callable[[argparse.Namespace], int]:
        def run(arguments: argparse.Namespace) -> int:
            runs.append((name, arguments))
            return 0

        return run

    for name, module in COMMANDS.items():
        monkeypatch.setattr(module, "run", note(name))
    return runs


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["serve"], "serve"),
        (["--data", "/srv"], "serve"),
        (["serve", "--data", "/srv"], "serve"),
        (["options"], "options"),
        (["logs", "web"], "logs"),
        (["logs", "--data=/srv", "-fn", "5", "web"], "logs"),
    ],
)
def test_a_command_is_run_serve_without_one(
    given: list[tuple[str, argparse.Namespace]], arguments: list[str], expected: str
) -> None:
    assert main(arguments) == 0
    ((name, parsed),) = given
    assert name == expected
    assert getattr(parsed, "data", None) == ("/srv" if any("/srv" in argument for argument in arguments) else None)


def test_without_any_the_help_is_printed_and_nothing_is_run(
    given: list[tuple[str, argparse.Namespace]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    assert given == []
    assert capsys.readouterr().out.startswith("usage: peavey")


def test_arguments_are_those_of_the_process(
    given: list[tuple[str, argparse.Namespace]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["peavey", "logs", "web"])
    assert main() == 0
    assert given[0][1].names == ["web"]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_names_all_commands_with_what_they_do(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([flag])
    assert caught.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    for name, module in COMMANDS.items():
        assert f"{name} {module.SUMMARY}" in printed


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert COMMANDS[name].DESCRIPTION.strip() in capsys.readouterr().out


def test_logs_knows_the_setting_that_it_needs_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["logs", "--help"])
    printed = capsys.readouterr().out
    assert "--data" in printed
    assert "--disk-limit" not in printed


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"peavey {__version__}\n"


@pytest.mark.parametrize("arguments", [["none"], ["serve", "--none"], ["--none"], ["logs"], ["options", "more"]])
def test_wrong_usage_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: peavey" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "meant"), [("log", "logs"), ("staus", "status"), ("lss", "ls")])
def test_a_mistyped_command_gets_a_suggestion(typed: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([typed])
    assert f"'{typed}' is not a command (did you mean '{meant}'?)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "printed"),
    [
        (PeaveyError("it cannot be"), "peavey: it cannot be\n"),
        (OptionError(["one", "two"]), "peavey: one; two\n"),
        (PermissionError(13, "Permission denied", "/f"), "peavey: [Errno 13] Permission denied: '/f'\n"),
    ],
)
def test_an_error_is_printed_as_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, printed: str
) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(options, "run", fail)
    assert main(["options"]) == 1
    assert capsys.readouterr() == ("", printed)


def test_a_reader_of_the_output_that_leaves_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: argparse.Namespace) -> int:
        sys.stdout.write("what nobody reads")
        raise BrokenPipeError

    monkeypatch.setattr(options, "run", fail)
    with open(tmp_path / "output", "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["options"]) == 1
    assert (tmp_path / "output").read_text() == ""


def test_an_interrupt_ends_it_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(options, "run", interrupt)
    assert main(["options"]) == 130
    assert capsys.readouterr() == ("", "")
