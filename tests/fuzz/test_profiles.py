"""Files of profiles and routes: whatever they hold, they are read, or refused with the lines of what is wrong."""

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from plugin.config.profiles import CONDITIONS, Profiles, Redirect
from plugin.config.profiles_file import parse_profiles
from plugin.docker.info import Info
from plugin.errors import JournalError, ProfilesError
from plugin.journal.accepted_profiles import read_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.redirects import read_redirect, time_of_redirect
from plugin.sinks.registry import schema
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import JSON, TEXTS, changed, changed_json

SCHEMA = schema()
NAMES = st.sampled_from(["a", "b", "A", "redirect", "replay-1", "", "x" * 65, "1"]) | TEXTS
OPTIONS = st.dictionaries(
    st.sampled_from(["loki-url", "sink", "start", "max-size", "tag", "audit.http-url", "<<", "x"]),
    st.sampled_from(["http://a", "loki", "beginning", "10k", "{{.Name}}", "{{", "1h", "", None]) | JSON,
    max_size=4,
)
CONDITION = st.sampled_from(["a", "*", "app=web*", "[", "", "="]) | TEXTS
ROUTES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "when": st.dictionaries(
                st.sampled_from([*CONDITIONS, "nome"]), CONDITION | st.lists(CONDITION, max_size=2), max_size=2
            )
            | JSON,
            "use": st.lists(NAMES, max_size=2) | NAMES,
            "other": JSON,
        },
    )
    | JSON,
    max_size=3,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "defaults": OPTIONS | JSON,
        "profiles": st.dictionaries(NAMES, OPTIONS | JSON, max_size=3) | JSON,
        "routes": ROUTES | JSON,
        "other": JSON,
    },
)
INFO = Info(
    container_id="a" * 64,
    container_name="/web",
    container_image_name="nginx:1",
    container_labels={"app": "web"},
    container_env=["A=b", "C"],
)


def read(text: str) -> None:
    faults: tuple[str, ...] = ("line 1",)
    try:
        parse_profiles(text, SCHEMA, {}).route(INFO)
    except ProfilesError as error:
        faults = error.faults
    assert faults
    assert all(fault.startswith("line ") and len(fault) < 3_000 for fault in faults)


def dumped(document: Any) -> str:
    """JSON is YAML, but for what no YAML may hold."""
    return json.dumps(document, ensure_ascii=True)


@fuzzed()
@given(DOCUMENTS.map(dumped))
def test_a_document(text: str) -> None:
    read(text)


@fuzzed()
@given(
    st.text("[]{}:-,&*!|>'\"%@`#~? \n\tabdefilnoprstu", max_size=80)
    | TEXTS
    | DOCUMENTS.map(dumped).map(str.encode).flatmap(changed).map(lambda content: content.decode(errors="replace"))
    | st.sampled_from(
        ["[" * 1_000_000, "- " * 400_000, "{a: " * 200_000, "? " * 400_000, "profiles:\n" + " a:" * 300_000]
    )
)
@example("profiles: &a\n  b: *a")
@example("profiles: {a: &x {<<: *x}}")
@example("profiles: {a: {<<: [*b]}}")
@example("&a [*a]")
@example("defaults: !!binary x")
@example("? [a]\n: b")
def test_any_text(text: str) -> None:
    read(text)


SOUND_REDIRECT = {"number": 1, "options": {"loki-url": "http://a"}, "since": 5, "start": 0.0}
SOUND_PROFILES = {
    "profiles": {
        "defaults": {"tag": "x"},
        "profiles": {"a": {"options": {"loki-url": "http://a"}, "start": -1.0}},
        "routes": [{"use": ["a"], "when": {"name": ["w*"], "label": ["app=w*"]}}],
    },
    "log_opts": {"loki-url": "http://a"},
}


@fuzzed()
@given(changed_json(SOUND_REDIRECT), changed_json(SOUND_PROFILES))
def test_what_is_kept_of_them(redirect: bytes, accepted: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "redirect.json").write_bytes(redirect)
        (folder / "profiles.json").write_bytes(accepted)
        assert time_of_redirect(folder)
        with contextlib.suppress(JournalError):
            found = read_redirect(folder)
            assert isinstance(found, Redirect)
            assert found.since_of(found.start) >= 0
        with contextlib.suppress(JournalError):
            profiles = read_accepted(DataFolder(folder)).profiles
            assert isinstance(profiles, Profiles)
            profiles.route(INFO)
