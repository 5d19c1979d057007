"""The file of profiles: what it may hold, and how its faults are told."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.__main__ import main
from plugin.config.profiles import BEGINNING, Profile, Profiles, Route
from plugin.config.profiles_file import parse_profiles, read_profiles
from plugin.errors import ProfilesError
from plugin.sinks.registry import schema

WHOLE = """\
defaults: {max-size: 50m, labels: [team, app]}
profiles:
  standard: {loki-url: "http://loki:3100", tag: "{{.Name}}", multiline: auto}
  audit:
    http-url: http://audit
    http-bearer-token-file: /run/secrets/none
    redact: email
    start: beginning
  late: {http-url: "http://late", start: 1h30m}
routes:
  - when: {label: com.example.audit=true}
    use: [standard, audit]
  - when: {name: ["debug-*", "test-*"], image: nginx}
    use: []
  - use: [standard]
"""


def parse(text: str) -> Profiles:
    return parse_profiles(text, schema(), {})


def faults(text: str) -> tuple[str, ...]:
    with pytest.raises(ProfilesError) as caught:
        parse(text)
    return caught.value.faults


def test_a_whole_file() -> None:
    assert parse(WHOLE) == Profiles(
        defaults={"max-size": "50m", "labels": "team,app"},
        profiles={
            "standard": Profile(options={"loki-url": "http://loki:3100", "tag": "{{.Name}}", "multiline": "auto"}),
            "audit": Profile(
                options={
                    "http-url": "http://audit",
                    "http-bearer-token-file": "/run/secrets/none",
                    "redact": "email",
                },
                start=BEGINNING,
            ),
            "late": Profile(options={"http-url": "http://late"}, start=5400.0),
        },
        routes=(
            Route(use=("standard", "audit"), when={"label": ("com.example.audit=true",)}),
            Route(use=(), when={"name": ("debug-*", "test-*"), "image": ("nginx",)}),
            Route(use=("standard",)),
        ),
    )


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "profiles:\n", "routes: []"], ids=["empty", "comment", "null", "list"]
)
def test_there_may_be_nothing(text: str) -> None:
    assert parse(text) == Profiles()


def test_values_are_as_they_are_written() -> None:
    text = "profiles: {a: {http-url: 'http://a', batch-size: 1_000, compress: true, batch-wait: 1.50s, retry-max: ~}}"
    (fault,) = faults(text)
    assert fault.startswith("line 1: profile 'a': log-opt 'batch-size': '1_000'")
    options = parse(text.replace("1_000", "1000")).profiles["a"].options
    assert options["compress"] == "true"
    assert options["batch-wait"] == "1.50s"
    assert options["retry-max"] == ""


def test_profiles_can_be_made_upon_one_another() -> None:
    text = "profiles:\n  a: &a {http-url: 'http://a', tag: x}\n  b:\n    <<: *a\n    tag: y\n"
    assert parse(text).profiles["b"].options == {"http-url": "http://a", "tag": "y"}


def test_every_fault_is_told_with_its_line() -> None:
    text = """\
default: {max-size: 1m}
profiles:
  a:
    loki-ur: http://loki
    batch-wait: soon
  a: {http-url: "http://b"}
  Big: {http-url: "http://b"}
  redirect-1: {http-url: "http://b"}
  c: {http-method: PUT, start: yesterday}
routes:
  - when: {nam: x}
    use: [aa]
  - use: [c]
  - use: []
"""
    assert [fault.split(":")[0] for fault in faults(text)] == [
        "line 1",
        *("line 4", "line 5", "line 6", "line 7", "line 8", "line 9", "line 9"),
        *("line 11", "line 12", "line 14"),
    ]
    told = "\n".join(faults(text))
    assert "(did you mean 'defaults'?)" in told
    assert "(did you mean 'loki-url'?)" in told
    assert "needs log-opt 'http-url'" in told
    assert "(did you mean 'name'?)" in told
    assert "unknown profile 'aa' (did you mean 'a'?)" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("profiles: [a]", "line 1: profiles: names with values are expected"),
        ("a: b: c", "line 1: not YAML"),
        ("profiles:\n  a: {x: {y: z}}", "line 2: profile 'a': 'x': a text, a number, true or false is expected"),
        ("routes:\n  when: x", "line 2: routes: a list is expected"),
        ("routes:\n- when: {name: x}", "line 2: a route needs 'use'"),
        ("defaults: {sink: loki}", "line 1: defaults: log-opt 'sink': defaults choose no sinks"),
        ("profiles:\n  a: {profile: b}", "line 2: profile 'a': log-opt 'profile': profiles are named by routes"),
        ("profiles:\n  a:\n    mode: blocking", "line 3: profile 'a': log-opt 'mode' is for the engine"),
        ("profiles:\n  a: {sink: lokki}", "line 2: profile 'a': unknown sink 'lokki' (did you mean 'loki'?"),
    ],
    ids=["list", "yaml", "nested", "routes", "use", "sink", "profile", "engine", "unknown sink"],
)
def test_a_fault_says_what_is_expected(text: str, told: str) -> None:
    assert faults(text)[0].startswith(told)


def test_a_secret_is_in_no_fault() -> None:
    text = "profiles:\n  a: {splunk-url: 'http://s', splunk-token: 'sesame', splunk-ur: x, batch-wait: sesame}\n"
    assert "sesame" not in "\n".join(fault for fault in faults(text) if "batch-wait" not in fault)


def test_one_that_merges_without_end_is_refused() -> None:
    assert "mappings are merged" in " ".join(faults("profiles: &p\n  <<: *p\n"))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_profiles(tmp_path / "none", schema(), {})
    with pytest.raises(ProfilesError, match="cannot read"):
        read_profiles(tmp_path, schema(), {})
    (tmp_path / "odd").write_bytes(b"a:\n  - \xff\n")
    with pytest.raises(ProfilesError, match="line 2: not UTF-8"):
        read_profiles(tmp_path / "odd", schema(), {})


@given(st.text(alphabet="ab:{}[]&*<>-!|'\" \n~#,?", max_size=60) | st.text(max_size=30))
def test_whatever_it_holds_is_read_or_refused(text: str) -> None:
    found: tuple[str, ...] = ("line 1",)
    try:
        parse(text)
    except ProfilesError as error:
        found = error.faults
    assert found
    assert all(fault.startswith("line ") for fault in found)


def test_the_examples_of_the_documentation_are_without_faults() -> None:
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert all(parse(example).routes for example in examples)
    assert len(examples) > 4


def test_the_recipes_pass_the_real_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PEAVEY_LOG_OPTS", raising=False)
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    recipes = re.findall(
        r"^\*\*([^*]+)\*\*.*?```yaml\n(.*?)```", page.partition("## Recipes")[2], re.DOTALL | re.MULTILINE
    )
    assert [title.rstrip(".,") for title, _ in recipes] == [
        "From Splunk to Loki without restarting a container",
        "Only errors to the pager",
        "A second copy for audit",
        "Tenants by team",
    ]
    path = tmp_path / "peavey.yaml"
    for title, recipe in recipes:
        path.write_text(recipe, encoding="utf-8")
        assert main(["config", "check", str(path)]) == 0, title
        assert "no faults" in capsys.readouterr().out
        path.write_text(recipe.replace("-url", "-ur"), encoding="utf-8")
        assert main(["config", "check", str(path)]) == 1, title
        assert "did you mean" in capsys.readouterr().err
