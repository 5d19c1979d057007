"""The Grafana dashboard and the Prometheus rules: what they ask for is there, and what they alert of, they alert of."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from plugin.status.client import ask
from tests.testbed.ports import CLOSED_PORT
from tests.testbed.server import Server
from tests.testbed.standin import Engine
from tests.testbed.waiting import wait_until

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
CASES = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [
    *(target["expr"] for panel in PANELS for target in panel["targets"]),
    *(annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]),
]
NAME = re.compile(r"\b(?:peavey|process)_[a-z_]+\b")
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*", "$sink": ".*", "$job": ".*"}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Prometheus' own tool (as root: python3 tests/testbed/host.py promtool)."""
    return subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)


def without_variables(query: str) -> str:
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query


def named(expression: str) -> set[str]:
    return set(NAME.findall(expression))


@pytest.fixture
def exposed(shared_server: Server, shared_engine: Engine) -> set[str]:
    """The names of all samples of a server with a running container, whose destination is down."""
    container = shared_engine.run({"http-url": f"http://127.0.0.1:{CLOSED_PORT}"})
    container.print(b"hello\n")

    def samples() -> set[str]:
        families = text_string_to_metric_families(ask(shared_server.socket, "/metrics")[0].decode())
        return {sample.name for family in families for sample in family.samples}

    wait_until(lambda: "peavey_destination_failing" in samples(), "delivery tells of its destination")
    return samples()


def test_all_that_the_dashboard_asks_for_is_there(exposed: set[str]) -> None:
    variables = [variable.get("definition", "") for variable in DASHBOARD["templating"]["list"]]
    asked = {name for text in [*QUERIES, *variables] for name in named(text)}
    assert len(asked) > 20
    assert asked <= exposed


def test_all_that_an_alert_goes_by_is_there(exposed: set[str]) -> None:
    for rule in RULES:
        assert named(rule["expr"]) <= exposed, rule["alert"]
        assert named(rule["expr"]) or "up{" in rule["expr"]


def test_the_rules_are_valid() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


def test_alerts_fire_once_their_time_is_over() -> None:
    done = promtool("test", "rules", "alerts.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_waits_says_what_to_do_and_has_a_test(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+[smh]", rule["for"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"].keys() == {"summary", "description"}
    (case,) = [case for case in CASES if case["name"] == rule["alert"]]
    quiet, firing = case["alert_rule_test"]
    assert (quiet["exp_alerts"], len(firing["exp_alerts"])) == ([], 1)


def test_what_the_dashboard_asks_is_valid(tmp_path: Path) -> None:
    queries = [without_variables(query) for query in QUERIES]
    assert not any("$" in query for query in queries)
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = promtool("check", "rules", "--lint=none", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_have_titles_of_their_own_and_do_not_overlap() -> None:
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells


def test_all_is_asked_of_the_data_source_that_is_chosen() -> None:
    text = (FOLDER / "grafana-dashboard.json").read_text()
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {"peavey-logs", "${datasource}"}
