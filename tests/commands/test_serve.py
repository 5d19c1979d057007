"""``peavey serve``: what it makes ready, what it says, and what it gives back."""

import gc
import logging
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from plugin import __version__
from plugin.__main__ import main
from plugin.commands import serve
from plugin.config.settings import SETTINGS
from plugin.errors import JournalError
from plugin.journal.layout import DataFolder
from tests.testbed.lifetimes import short_folder

Serving = Callable[[ASGIApp, socket.socket, Callable[[], None], object], None]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for socket and data."""
    with short_folder() as folder:
        yield folder


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """Return loggers back the levels that they have."""
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "uvicorn.error")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Return signals back the handlers that they have: an interrupted test run must end."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command with something else in the place of the server."""
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)

    def run(serving: Serving, *flags: str) -> int:
        with monkeypatch.context() as patch:
            patch.setattr(logging.getLogger(), "handlers", [])  # as a fresh process has it
            patch.setattr(serve, "serve", serving)
            return main(["serve", "--socket", f"{place}/p.sock", "--data", f"{place}/data", *flags])

    return run


def nothing(_: ASGIApp, listener: socket.socket, *__: object) -> None:
    """Serve nobody."""
    listener.close()


def test_socket_and_data_folder_are_ready_and_locked(run: Callable[..., int], place: Path) -> None:
    def look(app: ASGIApp, listener: socket.socket, on_shutdown: Callable[[], None], _: object) -> None:
        assert listener.getsockname() == f"{place}/p.sock"
        assert stat.S_IMODE(os.stat(place / "p.sock").st_mode) == 0o600
        assert stat.S_IMODE(os.stat(place / "data").st_mode) == 0o700
        with pytest.raises(JournalError, match="another peavey writes to the data folder"):
            DataFolder(place / "data").lock()
        assert callable(app)
        on_shutdown()
        listener.close()

    assert run(look) == 0
    os.close(DataFolder(place / "data").lock())


def test_the_lock_is_given_back_when_serving_fails(run: Callable[..., int], place: Path) -> None:
    def fail(_: ASGIApp, listener: socket.socket, *__: object) -> None:
        listener.close()
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        run(fail)
    os.close(DataFolder(place / "data").lock())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_it_serves_leaves_nothing_either(
    run: Callable[..., int], place: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(serve, "create_app", lambda *_: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as caught:
        run(nothing)
    assert caught.value.code == 0
    assert not (place / "p.sock").exists()
    os.close(DataFolder(place / "data").lock())


def test_it_says_what_it_is_and_where(run: Callable[..., int], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(nothing) == 0
    starting, listening, stopped = capsys.readouterr().out.splitlines()
    assert starting.startswith(f"INFO plugin: peavey {__version__} starting; settings: PEAVEY_SOCKET={place}/p.sock ")
    assert f" PEAVEY_DATA={place}/data " in starting
    assert listening == f"INFO plugin.api.server: listening on {place}/p.sock"
    assert stopped == f"INFO plugin: peavey {__version__} stopped"


def test_a_variable_that_is_none_is_told(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEAVEY_DISK_LIMITS", "1g")
    assert run(nothing, "--log-level", "warning") == 0
    assert capsys.readouterr().out.splitlines() == [
        "WARNING plugin: unknown setting 'PEAVEY_DISK_LIMITS' in the environment (did you mean 'PEAVEY_DISK_LIMIT'?)"
    ]


@pytest.mark.parametrize(
    ("flags", "warning"),
    [
        (["--logging-dir", "/nonexistent"], "there is no folder /nonexistent (PEAVEY_LOGGING_DIR)"),
        (["--log-opts", '{"http-bearer-token": "hunter2"}'], "--log-opts holds a secret"),
        (["--timezone", "Europe/Brelin"], "TZ=Europe/Brelin is not a time zone that is known here"),
        (["--timezone", "CET-1"], None),
        (["--log-opts", '{"http-bearer-token-file": "/x"}'], None),
        ([], None),
    ],
)
def test_what_is_hardly_meant_is_told(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], flags: list[str], warning: str | None
) -> None:
    assert run(nothing, "--log-level", "warning", *flags) == 0
    told = capsys.readouterr().out
    assert "hunter2" not in told
    assert (warning in told) if warning else (told == "")


def test_a_record_of_the_log_is_one_line_also_with_a_stack_trace(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def log(_: ASGIApp, listener: socket.socket, *__: object) -> None:
        listener.close()
        error = RuntimeError("first line\nsecond line")
        logging.getLogger("plugin.somewhere").error("it failed:\n%s", "details", exc_info=error)

    assert run(log, "--log-level", "error") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("ERROR plugin.somewhere: it failed: | details | ")
    assert line.endswith("RuntimeError: first line | second line")


@pytest.mark.parametrize(("level", "expected"), [("debug", "WARNING"), ("error", "ERROR")])
def test_the_server_library_is_as_quiet_as_that(run: Callable[..., int], level: str, expected: str) -> None:
    assert run(nothing, "--log-level", level) == 0
    assert logging.getLevelName(logging.getLogger("uvicorn.error").level) == expected


def test_faults_of_settings_are_told_and_nothing_is_made(
    run: Callable[..., int], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(nothing, "--disk-limit", "much", "--max-followers", "0") == 1
    error = capsys.readouterr().err
    assert error.startswith("peavey: --disk-limit: 'much' is not a size")
    assert "--max-followers: '0' is out of range" in error
    assert list(place.iterdir()) == []


def test_a_data_folder_that_cannot_be_locked_is_told(
    run: Callable[..., int], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "data" / "lock").mkdir(parents=True)
    assert run(nothing) == 1
    fault = f"[Errno 22] not a regular file: '{place}/data/lock'"
    assert capsys.readouterr().err == f"peavey: cannot lock the data folder {place}/data: {fault}\n"


def test_the_help_has_every_setting_with_its_variable_and_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "10000")
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    for setting in SETTINGS:
        in_short = f"{setting.kind.accepts}; {setting.variable}; default: {setting.default or 'none'}"
        assert f"{setting.flag} VALUE {setting.help} ({in_short})" in printed
