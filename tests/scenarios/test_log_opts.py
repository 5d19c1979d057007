"""Log-opts at the moment a container starts: what ``docker run`` prints for bad ones, and what defaults do."""

import json
from pathlib import Path

import pytest

from tests.testbed.client import PluginError
from tests.testbed.folders import DataFolder, snapshot
from tests.testbed.printer import numbered
from tests.testbed.server import Server, ServerError
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until

LINES = numbered(3_000, padding=400)


def refusal(engine: Engine, options: dict[str, str]) -> str:
    """Start a container that must be refused; returns the message."""
    with pytest.raises(PluginError) as refused:
        engine.run(options)
    return str(refused.value)


def test_an_unknown_option_is_refused_with_the_nearest_name(shared_engine: Engine) -> None:
    message = refusal(shared_engine, {"max-szie": "20m"})

    assert "'max-szie'" in message
    assert "did you mean 'max-size'?" in message


def test_a_bad_value_is_refused_with_what_is_accepted(shared_engine: Engine) -> None:
    message = refusal(shared_engine, {"max-size": "20x"})

    assert "'max-size'" in message
    assert "'20x'" in message
    assert "20m" in message


def test_all_faults_are_reported_together(shared_engine: Engine) -> None:
    faults = {"max-szie": "20m", "max-file": "none", "tag": "{{.Nmae}}", "labels-regex": "(", "overflow": "no"}
    message = refusal(shared_engine, faults)

    for name in faults:
        assert name in message
    assert "did you mean '.Name'?" in message


def test_a_refused_container_leaves_nothing_on_disk(shared_engine: Engine, shared_folder: Path) -> None:
    before = snapshot(shared_folder / "logging")

    refusal(shared_engine, {"no-such-option": "1"})

    assert snapshot(shared_folder / "logging") == before


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max-size": "20m", "max-file": "5", "compress": "true"},
        {"max-size": "512K", "max-file": "1", "compress": "0"},
        {"tag": "{{.Name}}/{{.ID}}", "labels": "a,b", "env": "C", "labels-regex": "^x", "env-regex": "[A-Z]+"},
        {"mode": "non-blocking", "max-buffer-size": "4m"},
        {"cache-disabled": "true", "cache-max-size": "20m", "cache-max-file": "5", "cache-compress": "true"},
        {"buffer-limit": "1g", "overflow": "throttle", "max-age": "720h", "fsync-interval": "1s"},
        {"batch-wait": "1s", "batch-size": "1m", "retry-min": "500ms", "retry-max": "5m"},
    ],
)
def test_common_options_are_accepted(shared_engine: Engine, options: dict[str, str]) -> None:
    container = shared_engine.run(options)
    container.print(b"line\n")
    container.stop()

    assert container.output() == b"line\n"


def test_plugin_wide_defaults_apply_and_a_containers_own_win(
    idle_server: Server, engine: Engine, data: DataFolder
) -> None:
    idle_server.environment["PEAVEY_LOG_OPTS"] = json.dumps({"max-size": "20k", "max-file": "2"})
    idle_server.start()
    default, own = engine.run(), engine.run({"max-file": "1000"})
    for container in (default, own):
        container.print(b"".join(LINES))
        container.stop()

    wait_until(lambda: len(data.segments(default.id)) <= 2, "the default bound holds")
    assert len(data.segments(own.id)) > 2
    assert [entry.line for entry in own.logs()] == LINES


@pytest.mark.parametrize("value", ['{"max-szie": "1m"}', '{"max-size": "much"}', "max-size=1m", '["max-size"]'])
def test_bad_defaults_are_told_at_the_start(idle_server: Server, value: str) -> None:
    idle_server.environment["PEAVEY_LOG_OPTS"] = value

    with pytest.raises(ServerError):
        idle_server.start()
    assert "PEAVEY_LOG_OPTS" in idle_server.log


def test_options_once_accepted_are_never_refused(idle_server: Server, engine: Engine, folder: Path) -> None:
    idle_server.start()
    container = engine.run({"max-size": "1m"})
    container.print(b"before\n")
    container.stop()
    idle_server.kill()
    accepted_by_an_older_version(folder, container.id, {"max-size": "1m", "gone-since": "1"})
    container.info["Config"]["gone-since"] = "1"
    idle_server.start()

    assert container.output() == b"before\n"
    container.start()
    container.print(b"after\n")
    container.stop()
    assert container.output() == b"before\nafter\n"


def accepted_by_an_older_version(folder: Path, container: str, options: dict[str, str]) -> None:
    """Rewrite what the plugin remembers of a container as if it had taken these options."""
    path = folder / "logging" / "peavey" / "containers" / container / "info.json"
    note = json.loads(path.read_text())
    note["info"]["Config"] = options
    path.write_text(json.dumps(note))


def test_running_containers_survive_a_restart_with_bad_options(idle_server: Server, engine: Engine) -> None:
    idle_server.start()
    container = engine.run()
    container.print(b"before\n")
    idle_server.kill()
    idle_server.environment["PEAVEY_LOG_OPTS"] = json.dumps({"tag": "{{.ID}}"})
    idle_server.start()
    container.print(b"after\n")
    container.stop()

    assert container.output() == b"before\nafter\n"
