"""The recipes of docs/shaping.md do what the page says they do."""

import re
from pathlib import Path

import pytest
import yaml

from plugin.config.options import validate
from plugin.sinks.registry import schema
from tests.transforms.lines import SECOND, START, lines_of, one, record, records, shaped, stages

PAGE = (Path(__file__).parents[2] / "docs" / "shaping.md").read_text()
OPTION = re.compile(r"--log-opt ([\w.-]+)=(?:'([^']*)'|([^\s`]+))")
GDPR = "Personal data and secrets (GDPR)"
SINK = {"http-url": "http://localhost"}
NEEDS = {
    "rate-limit-burst": {"rate-limit": "1000/s"},
    "loki-pipeline-stage-file": {"loki-url": "http://localhost"},
}


def recipe(heading: str, number: int = 0) -> dict[str, str]:
    """Return the shaping log-opts of a Compose example of the page, without those of sinks."""
    section = PAGE.split(f"### {heading}\n")[1].split("\n### ")[0]
    block = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)[number]
    (service,) = yaml.safe_load(block)["services"].values()
    options: dict[str, str] = service["logging"]["options"]
    return {name: text for name, text in options.items() if "sink" not in name and "-url" not in name}


def test_every_log_opt_of_the_page_is_accepted() -> None:
    found = [(name, quoted or plain) for name, quoted, plain in OPTION.findall(PAGE)]
    assert len(found) > 10
    for name, text in found:
        needs = NEEDS.get(name, {})
        validate({**SINK, **needs, name: text}, {}, schema())


@pytest.mark.parametrize(
    "heading",
    ["A Java service", "nginx, Apache", "Logs that are JSON", GDPR, "Noisy health checks", "Cost control"],
)
def test_there_is_a_recipe_for_each_common_case(heading: str) -> None:
    given = {name: text for name, text in recipe(heading).items() if not name.startswith("audit.")}
    assert stages(given)


def test_a_java_service() -> None:
    event = ["2026-01-31 12:00:00 ERROR broke", "java.lang.Exception: x", "\tat a.B.c(B.java:1)"]
    lines = [*event, "2026-01-31 12:00:01 DEBUG detail", "2026-01-31 12:00:02 INFO on"]

    assert lines_of(shaped(recipe("A Java service"), records(lines))) == ["\n".join(event), lines[-1]]
    assert lines_of(shaped(recipe("A Java service", 1), records(lines)))[1] == "\n".join(event[1:])


def test_nginx() -> None:
    access = '10.0.0.1 - - [31/Jan/2026:12:00:00 +0000] "GET /%s HTTP/1.1" 200 5 "-" "curl/8"'
    (made,) = shaped(recipe("nginx, Apache"), records([access % "health", access % "buy"]))

    assert made.fields is not None
    assert (made.fields["path"], made.fields["code"]) == ("/buy", 200)
    assert "agent" not in made.fields


def test_json() -> None:
    made = one(recipe("Logs that are JSON"), '{"level":"warn","msg":"hello","http.status":503}')

    assert (made.line, made.severity, made.fields) == (b"hello", 13, {"level": "warn", "status": 503})
    assert shaped(recipe("Logs that are JSON"), records(['{"level":"debug","msg":"hello"}'])) == []


def test_redaction() -> None:
    given = {name: text for name, text in recipe(GDPR).items() if not name.startswith("audit")}
    made = one(given, "customer=4711 bob@example.com from 10.0.0.1 password=x")

    assert made.line == (
        b"customer=[REDACTED customer] [REDACTED email] from [REDACTED ipv4] password=[REDACTED password]"
    )
    audit = {name.removeprefix("audit."): text for name, text in recipe(GDPR).items() if name.startswith("audit.")}
    assert one(audit, "bob@example.com password=x").line == b"bob@example.com password=[REDACTED password]"


def test_noisy_health_checks() -> None:
    lines = ["GET /healthz 200", "GET / kube-probe/1.31", "retrying", "retrying", "GET /healthzone 200"]
    made = shaped(recipe("Noisy health checks"), records(lines))

    assert [(each.line, each.fields) for each in made] == [
        (b"retrying", {"repeated": 2}),
        (b"GET /healthzone 200", None),
    ]


def test_cost_control() -> None:
    given = recipe("Cost control")
    assert shaped(given, records(['{"level":"debug","msg":"x"}'])) == []
    made = shaped(given, records(['{"level":"info","msg":"x","pid":7,"n":1}'] * 2_000))
    assert 100 < len(made) < 300, "a tenth"
    assert made[0].fields == {"level": "info", "n": 1}
    errors = [record('{"level":"error","msg":"x"}', n, time_nano=START + n * SECOND // 100_000) for n in range(6_000)]
    kept = shaped(given, errors)
    assert 5_000 < len(kept) < 6_000
    assert kept[-1].line.startswith(b"peavey: ")
