"""``peavey check`` sends one line to destinations, and says how that went."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugin.__main__ import main
from plugin.config.profiles import Profile, Profiles
from plugin.docker.info import Info
from plugin.errors import SettingError
from plugin.journal.accepted_profiles import write_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from tests.sinks.http.receiver import PROTOCOL, options_for
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.ports import CLOSED_PORT

WEB = "8c1f" * 16
SECRET = "hunter2hunter2"  # noqa: S105 (no real one)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    made = DataFolder(tmp_path / "data")
    made.create()
    return made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(PROTOCOL) as receiver:
        yield receiver


def check(data: DataFolder, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code = main(["check", "--data", str(data.path), "--json", *arguments])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def log_opts(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("--log-opt", f"{name}={value}")]


def at(receiver: Receiver) -> dict[str, str]:
    return options_for(f"127.0.0.1:{receiver.port}")


def test_one_that_takes_the_line_is_ok(
    data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (found,) = check(data, capsys, *log_opts(at(receiver)))
    took = found.pop("took_seconds")
    assert code == 0
    assert found == {
        "sink": "http",
        "type": "http",
        "address": f"http://127.0.0.1:{receiver.port}",
        "state": "ok",
        "error": None,
    }
    assert 0 <= took < 60
    (line,) = [record.line for record in receiver.received]
    assert line.startswith(b"peavey check: from ")


def test_a_person_is_told_how_long_it_took_and_what_that_is_worth(
    data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--data", str(data.path), *log_opts(at(receiver))]) == 0
    assert re.fullmatch(
        rf"http@http://127\.0\.0\.1:{receiver.port}: ok, took a line in \d+ ms\. The server has answered 2xx: .*\n",
        capsys.readouterr().out,
    )


def test_one_that_nobody_listens_at_is_unreachable(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    code, (found,) = check(data, capsys, *log_opts({"http-url": f"http://127.0.0.1:{CLOSED_PORT}"}))
    assert (code, found["state"]) == (1, "unreachable")
    assert "connection refused" in found["error"]


@pytest.mark.parametrize(
    ("status", "state"), [(401, "misconfigured"), (404, "misconfigured"), (400, "refused"), (503, "failed")]
)
def test_what_is_wrong_is_told_apart(
    data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str], status: int, state: str
) -> None:
    receiver.answers.append(status)
    code, (found,) = check(data, capsys, *log_opts(at(receiver)))
    assert (code, found["state"]) == (1, state)
    assert str(status) in found["error"]


def test_one_that_does_not_answer_is_not_waited_for(
    data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.freeze()
    code, (found,) = check(data, capsys, "--timeout", "0.2", *log_opts(at(receiver)))
    assert (code, found["state"], found["error"]) == (1, "unreachable", "no answer within 0.2 seconds")


def test_log_opts_at_fault_are_told_before_anything_is_sent(
    data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--data", str(data.path), *log_opts(at(receiver) | {"http-gzp": "true"})]) == 1
    assert "unknown log-opt 'http-gzp'" in capsys.readouterr().err
    assert receiver.connections == 0


def test_that_of_a_container_is_checked_by_what_is_in_force(
    data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    data.container(WEB).mkdir()
    info = Info(container_id=WEB, container_name="/web", config=at(receiver))
    write_metadata(data.container(WEB), info, "fifo", 1)
    code, (found,) = check(data, capsys, "web")
    assert (code, found["state"]) == (0, "ok")
    assert [record.container for record in receiver.received] == ["web"]


def test_profiles_and_the_plugin_wide_ones_are_checked_each_once(
    data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    down = {"http-url": f"http://127.0.0.1:{CLOSED_PORT}"}
    profiles = {"a": Profile(options=at(receiver)), "b": Profile(options=at(receiver)), "c": Profile(options=down)}
    write_accepted(data, Profiles(profiles=profiles), at(receiver))
    code, found = check(data, capsys)
    assert code == 1
    assert sorted(one["state"] for one in found) == ["ok", "unreachable"]
    code, (found_one,) = check(data, capsys, "--profile", "c")
    assert (code, found_one["sink"], found_one["state"]) == (1, "c.http", "unreachable")


def test_a_profile_that_does_not_exist_is_told(data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    write_accepted(data, Profiles(profiles={"standard": Profile(options={"sink": "json-file"})}), {})
    assert main(["check", "--data", str(data.path), "--profile", "standart"]) == 1
    assert capsys.readouterr().err == "peavey: unknown profile 'standart' (did you mean 'standard'?)\n"


def test_without_any_destination_there_is_nothing_to_check(
    data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--data", str(data.path)]) == 1
    assert "there is no destination to check" in capsys.readouterr().err


def test_log_opts_need_no_data_folder(
    receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEAVEY_DATA", raising=False)
    monkeypatch.setattr("plugin.commands.check.find_data", no_data)
    assert main(["check", "--json", *log_opts(at(receiver))]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "ok"


def no_data(*_: object) -> Path:
    raise SettingError("no data folder on this host")


def test_no_secret_shows(data: DataFolder, receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    receiver.echo = True
    receiver.answers.append(401)
    options = {"http-url": f"http://user:{SECRET}@127.0.0.1:{receiver.port}/", "http-headers": f"X-Token={SECRET}"}
    assert main(["check", "--data", str(data.path), *log_opts(options)]) == 1
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
