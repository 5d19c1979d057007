"""``peavey completion``: what shells offer, in the shells themselves."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from plugin.__main__ import main
from plugin.config.profiles import Profile, Profiles
from plugin.docker.info import Info
from plugin.journal.accepted_profiles import write_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from tests.testbed.server import REPOSITORY, plugin_environment

SHELLS = ("bash", "zsh", "fish")
_SAFETY_NET = 120.0  # seconds; a machine may be very busy


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Two containers, of which one is of a Compose project, and a profile."""
    made = DataFolder(tmp_path_factory.mktemp("completion") / "data")
    made.create()
    for number, (name, labels) in enumerate((("web-1", {"com.docker.compose.project": "shop"}), ("db", {}))):
        info = Info(container_id=f"{number:064x}", container_name=f"/{name}", container_labels=labels)
        made.container(info.container_id).mkdir()
        write_metadata(made.container(info.container_id), info, "fifo", 1)
    write_accepted(made, Profiles(profiles={"standard": Profile(options={"sink": "json-file"})}), {})
    return made


def offered(data: DataFolder, capsys: pytest.CaptureFixture[str], line: str) -> list[str]:
    """Return what is offered for the last word of a line."""
    os.environ["PEAVEY_DATA"] = str(data.path)
    try:
        assert main(["completion", "candidates", "--", *line.split(" ")]) == 0
    finally:
        del os.environ["PEAVEY_DATA"]
    return [word.partition("\t")[0] for word in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("peavey sta", ["status"]),
        ("peavey --v", ["--version"]),
        ("peavey status --fa", ["--failing"]),
        ("peavey status --", None),
        ("peavey logs ", ["db", "web-1"]),
        ("peavey logs db w", ["web-1"]),
        ("peavey logs --since 1h w", ["web-1"]),
        ("peavey logs --since ", []),
        ("peavey logs --stream ", ["stdout", "stderr"]),
        ("peavey logs --level w", ["warn"]),
        ("peavey logs --level=w", ["--level=warn"]),
        ("peavey logs --project ", ["shop"]),
        ("peavey check --profile ", ["standard"]),
        ("peavey check --log-opt loki-u", ["loki-url=", "loki-url-file=", "loki-username="]),
        ("peavey check --log-opt overflow=", ["overflow=drop-oldest", "overflow=throttle"]),
        ("peavey check --log-opt a.loki-ur", ["a.loki-url=", "a.loki-url-file="]),
        ("peavey check --log-opt loki-password-f", ["loki-password-file="]),
        ("peavey config ", ["check", "show"]),
        ("peavey config show w", ["web-1"]),
        ("peavey completion ", ["bash", "zsh", "fish"]),
        ("peavey nothing ", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_last_word_is_completed(
    data: DataFolder, capsys: pytest.CaptureFixture[str], line: str, words: list[str] | None
) -> None:
    found = offered(data, capsys, line)
    if words is None:
        assert {"--failing", "--json", "--watch", "--help"} <= set(found)
    else:
        assert found == words


def test_without_a_data_folder_nothing_is_offered_and_nothing_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEAVEY_DATA", str(tmp_path / "none"))
    assert main(["completion", "candidates", "--", "peavey", "logs", ""]) == 0
    assert capsys.readouterr() == ("", "")


def test_what_is_offered_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "candidates", "--", "peavey", "stat"]) == 0
    assert capsys.readouterr().out == "status\tshow what came in, what went out, and what waits or fails\n"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `peavey` that runs this very source."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "peavey"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -P -m plugin "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def environment(path: Path, data: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    return plugin_environment(
        {
            "PATH": f"{path}:/usr/bin:/bin",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "TERM": "dumb",
            "PEAVEY_DATA": str(data.path),
        }
    )


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    made = folder / f"completion.{shell}"
    made.write_text(capsys.readouterr().out)
    return made


BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
_peavey
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("peavey status --fa", ["--failing"]),
        ("peavey logs w", ["web-1"]),
        ("peavey logs ", ["db", "web-1"]),
        ("peavey check --log-opt overflow=t", ["throttle"]),
    ],
)
def test_bash(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: list[str]
) -> None:
    command = ["bash", "--norc", "-c", BASH, "bash", str(script("bash", tmp_path, capsys)), line]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (words, "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("peavey status --fa", ["--failing"]),
        ("peavey logs ", ["db", "web-1"]),
        ("peavey check --log-opt overflow=t", ["overflow=throttle"]),
    ],
)
def test_fish(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: list[str]
) -> None:
    made = script("fish", tmp_path, capsys)
    command = ["fish", "--no-config", "-c", "source $argv[1]; complete --do-complete $argv[2]", str(made), line]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ([word.partition("\t")[0] for word in done.stdout.splitlines()], done.stderr) == (words, "")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (b"peavey status --fail\t", b"--failing "),
        (b"peavey logs w\t", b"web-1 "),
        (b"peavey check --log-opt overf\t", b"overflow="),
    ],
    ids=["flag", "container", "log-opt"],
)
def test_zsh(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: bytes, shown: bytes
) -> None:
    made = script("zsh", tmp_path, capsys)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["zsh", "-f", "-i"], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    try:
        os.write(ours, b"PS1=; setopt no_beep; autoload -Uz compinit; compinit -u -D\n")
        os.write(ours, f"source {made}; echo re''ady\n".encode())
        read_until(ours, b"ready")
        os.write(ours, typed)
        read_until(ours, shown)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def read_until(terminal: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        assert select.select([terminal], [], [], _SAFETY_NET)[0], seen
        seen += os.read(terminal, 1 << 16)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_says_where_it_comes_from(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"made by `peavey completion {shell}`" in capsys.readouterr().out
