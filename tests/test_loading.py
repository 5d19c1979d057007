"""What the long-lived processes load: each megabyte of a library that they never use is one on every host."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPT = """
import importlib, sys
importlib.import_module(sys.argv[1])
from plugin.sinks.registry import schema
schema()
print(*{name.partition(".")[0] for name in sys.modules}, *sys.modules)
"""


def loaded_by(command: str) -> set[str]:
    """Import a command and read what all sinks declare, as it does at its start; return the modules that are loaded."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"plugin.commands.{command}"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("command", ["serve", "deliver"])
def test_no_destination_s_client_is_loaded_before_it_is_used(command: str) -> None:
    loaded = loaded_by(command)
    clients = {"aio_pika", "aiohttp", "aiokafka", "aiormq", "cramjam", "grpclib", "h2", "hiredis", "nats", "nkeys"}
    assert not loaded & {*clients, "yaml", "plugin.sinks.loki.encoder"}
    assert "plugin.sinks.loki.options" in loaded
    assert not {name for name in loaded if name.startswith("plugin.sinks.") and name.endswith((".sink", ".encoder"))}


def test_serve_loads_nothing_for_metrics_or_terminals() -> None:
    assert not loaded_by("serve") & {"prometheus_client", "rich"}


def test_deliver_serves_nobody() -> None:
    assert not loaded_by("deliver") & {"starlette", "uvicorn", "httptools", "prometheus_client", "rich", "plugin.api"}


def test_the_reference_of_options_needs_no_loop() -> None:
    assert not loaded_by("options") & {"aiohttp", "starlette", "uvicorn", "prometheus_client"}
