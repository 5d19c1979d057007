"""``docs/json.md`` describes all fields that ``--json`` prints, and no others."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from plugin.__main__ import main
from plugin.commands import check
from plugin.commands.dead import _Box, as_json
from plugin.config.options_page import describe
from plugin.delivery.dead_letters import Letter, Part
from plugin.delivery.histogram import BOUNDS
from plugin.docker.info import Info
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.sinks.registry import schema
from plugin.status.model import DestinationState, FilteredRecords, TakenAway
from tests.status.examples import container, sink, status
from tests.testbed.server import REPOSITORY

PAGE = (REPOSITORY / "docs" / "json.md").read_text()


def section(heading: str) -> str:
    (found,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert isinstance(found, str)
    return found


def documented(heading: str) -> set[str]:
    return set(re.findall(r"`([a-z_0-9]+)`", section(heading)))


def fields_of(shown: object) -> set[str]:
    if isinstance(shown, dict):
        return set(shown).union(*map(fields_of, shown.values()))
    return set().union(*map(fields_of, shown)) if isinstance(shown, list) else set()


def test_the_status() -> None:
    kept = [FilteredRecords(stage="filter", reason="exclude", records=7)]
    gone = [TakenAway(instance="loki", undelivered_bytes=5)]
    shown = json.loads(
        msgspec.json.encode(status(containers=[container(sinks=[sink(filtered=kept)], taken_away=gone)]))
    )
    told = documented("peavey status")
    assert fields_of(shown) <= told
    assert told <= fields_of(shown) | {state.value for state in DestinationState}
    assert all(f"{bound:g}" in section("peavey status") for bound in BOUNDS)


def test_what_check_prints() -> None:
    shown = check.as_json(check.Verdict("a", "http", "http://x", 0.5))
    assert fields_of(shown) <= documented("peavey check")


def test_what_dead_prints(tmp_path: Path) -> None:
    letter = Letter(
        refused=1,
        reason="no",
        source="stdout",
        time=1,
        offset=1,
        line="x",
        line_base64="eA==",
        part=Part("a", 1, last=True),
        among=2,
        fields={},
        severity=9,
        labels={},
        tenant="t",
    )
    shown = as_json(_Box(tmp_path, None, "loki"), letter)
    assert fields_of(msgspec.to_builtins(shown)) <= documented("peavey dead")


def test_what_options_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["options", "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown == json.loads(msgspec.json.encode(list(describe(schema()))))
    assert {key for one in shown for key in one} <= documented("peavey options")
    by_name = {one["name"]: one for one in shown}
    assert by_name["overflow"]["allowed"] == ["drop-oldest", "throttle"]
    assert (by_name["loki-password"]["secret"], by_name["loki-password"]["from_file"]) == (True, "loki-password-file")


def test_what_config_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = DataFolder(tmp_path / "data")
    data.create()
    config = {"loki-url": "http://loki:3100", "loki-bearer-token": "hunter2", "loki-tenant-i": "x"}
    folder = data.container("8c1f" * 16)
    folder.mkdir()
    write_metadata(folder, Info(container_id=folder.name, container_name="/web", config=config), "fifo", 1)
    assert main(["config", "show", "web", "--data", str(data.path), "--json"]) == 1
    out = capsys.readouterr().out
    shown = json.loads(out)
    assert fields_of(shown) <= documented("peavey config")
    assert "hunter2" not in out
    assert {(one["sink"], one["name"], one["source"]) for one in shown["log_opts"]} >= {
        ("loki", "loki-url", "container")
    }
    assert "unknown log-opt 'loki-tenant-i'" in shown["faults"][0]

    file = tmp_path / "peavey.yaml"
    file.write_text("profiles:\n  standard:\n    loki-url: http://loki:3100\n")
    assert main(["config", "check", str(file), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"file": str(file), "profiles": ["standard"], "routes": 0, "faults": []}
    assert fields_of(shown) <= documented("peavey config")
    file.write_text("profiles: 7\n")
    assert main(["config", "check", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["faults"]
