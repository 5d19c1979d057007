"""Which log-opts are in force for a container, by its own, its profiles and the plugin-wide ones."""

from collections.abc import Mapping

import pytest

from plugin.config.effective import Rules
from plugin.config.options import ContainerOptions, validate
from plugin.config.profiles import BEGINNING, Profile, Profiles, Redirect, Route
from plugin.docker.info import Info
from plugin.errors import OptionError
from plugin.sinks.registry import schema

ACCEPTED = 10**18
PROFILES = Profiles(
    defaults={"max-size": "50m", "tag": "of-defaults"},
    profiles={
        "standard": Profile(options={"loki-url": "http://loki", "multiline": "auto"}),
        "audit": Profile(options={"http-url": "http://audit", "redact": "email", "max-file": "7"}, start=60),
        "second": Profile(options={"sink": "a=loki,b=loki", "a.loki-url": "http://a", "b.loki-url": "http://b"}),
        "all": Profile(options={"http-url": "http://all"}, start=BEGINNING),
    },
    routes=(
        Route(when={"name": ("debug-*",)}, use=()),
        Route(when={"label": ("audit=true", "audited")}, use=("standard", "audit")),
        Route(when={"image": ("nginx", "busybox:1.*")}, use=("audit",)),
        Route(when={"env": ("TEAM=a*",), "compose-project": ("shop",)}, use=("all",)),
        Route(when={"swarm-service": ("web",)}, use=("second",)),
    ),
    accepted=ACCEPTED,
    source="peavey.yaml",
)


def info(options: Mapping[str, str] | None = None, name: str = "web", **more: object) -> Info:
    return Info(container_id="aa", container_name=f"/{name}", config=dict(options or {}), **more)  # type: ignore[arg-type]


def read(info: Info, log_opts: Mapping[str, str] | None = None, redirect: Redirect | None = None) -> ContainerOptions:
    rules = Rules(log_opts or {}, schema(), PROFILES)
    options, faults = rules.read(info, redirect)
    assert faults == ()
    outlined = rules.outline(info, redirect)
    assert [(s.instance, s.sink, s.own, s.since) for s in outlined.sinks] == [
        (s.instance, s.sink, s.own, s.since) for s in options.sinks
    ]
    assert outlined.max_size == options.max_size
    return options


def places(options: ContainerOptions) -> dict[str, str]:
    return {choice.instance: choice.options.destination for choice in options.sinks}


def test_without_a_file_all_is_as_the_log_opts_say() -> None:
    given = {"loki-url": "http://own", "tag": "x"}
    assert Rules({"max-size": "1m"}, schema()).check(info(given)) == validate(given, {"max-size": "1m"}, schema())


def test_sinks_of_profiles_are_called_by_both_names_and_begin_where_the_profile_says() -> None:
    options = read(info({"profile": "standard, audit,second,all"}))
    assert [choice.instance for choice in options.sinks] == [
        "standard.loki",
        "audit.http",
        "second.a",
        "second.b",
        "all.http",
    ]
    assert not any(choice.own for choice in options.sinks)
    assert [choice.since for choice in options.sinks] == [ACCEPTED, ACCEPTED - 60 * 10**9, ACCEPTED, ACCEPTED, 0]


def test_a_profiles_shaping_is_for_its_own_sinks() -> None:
    standard, audit = read(info({"profile": "standard,audit"})).sinks
    assert (standard.transforms.redact, audit.transforms.redact) == ((), ("email",))
    assert standard.transforms.multiline != audit.transforms.multiline


def test_a_containers_own_options_win_then_profiles_then_the_files_defaults_then_the_plugin_wide_ones() -> None:
    options = read(info({"profile": "audit", "tag": "own"}), {"max-size": "1m", "max-file": "2", "labels": "team"})
    assert options.max_size == 50_000_000
    assert options.max_file == 7
    (audit,) = options.sinks
    assert audit.records.tag == "own"
    assert audit.records.labels == "team"
    (audit,) = read(info({"profile": "audit"})).sinks
    assert audit.records.tag == "of-defaults"


def test_own_options_of_a_sink_that_a_profile_has_are_for_that_one() -> None:
    (choice,) = read(info({"profile": "standard", "loki-url": "http://own"})).sinks
    assert (choice.instance, choice.own) == ("standard.loki", False)
    assert "own" in choice.options.destination


def test_own_sinks_stay_beside_those_of_profiles() -> None:
    options = read(info({"profile": "standard", "http-url": "http://own", "batch-wait": "9s"}))
    assert [(choice.instance, choice.own) for choice in options.sinks] == [("http", True), ("standard.loki", False)]
    assert {choice.delivery.batch_wait for choice in options.sinks} == {9.0}
    options = read(info({"profile": "standard", "sink": "loki", "loki-url": "http://own"}))
    assert len(set(places(options).values())) == 2


@pytest.mark.parametrize(
    ("container", "instances"),
    [
        (info(name="debug-1", container_labels={"audit": "true"}), []),
        (info(container_labels={"audit": "true"}), ["standard.loki", "audit.http"]),
        (info(container_labels={"audited": ""}), ["standard.loki", "audit.http"]),
        (info(container_labels={"audit": "false"}), []),
        (info(container_image_name="nginx:1.27"), ["audit.http"]),
        (info(container_image_name="busybox:2"), []),
        (info(container_env=["TEAM=alpha"], container_labels={"com.docker.compose.project": "shop"}), ["all.http"]),
        (info(container_env=["TEAM=beta"], container_labels={"com.docker.compose.project": "shop"}), []),
        (info(container_env=["TEAM=alpha"]), []),
        (
            info(
                container_labels={
                    "com.docker.stack.namespace": "shop",
                    "com.docker.swarm.service.name": "shop_web",
                }
            ),
            ["second.a", "second.b"],
        ),
    ],
    ids=["first", "label", "label alone", "other value", "image", "other image", "both", "one", "half", "swarm"],
)
def test_the_first_route_that_matches_chooses(container: Info, instances: list[str]) -> None:
    assert [choice.instance for choice in read(container).sinks] == instances


@pytest.mark.parametrize(
    "own", [{"profile": ""}, {"sink": ""}, {"syslog-address": "udp://h"}], ids=["profile", "no sink", "own sink"]
)
def test_routes_are_for_containers_that_say_nothing_themselves(own: dict[str, str]) -> None:
    options = read(info(own, container_image_name="nginx"))
    assert [choice.instance for choice in options.sinks] == (["syslog"] if "syslog-address" in own else [])


def test_what_a_route_says_stands_in_the_place_of_plugin_wide_sinks() -> None:
    log_opts = {"http-url": "http://wide"}
    assert list(places(read(info(name="debug-1"), log_opts))) == []
    (wide,) = read(info(), log_opts).sinks
    assert (wide.instance, wide.own, wide.since) == ("http", False, None)


@pytest.mark.parametrize(
    ("name", "told"), [("standart", "did you mean 'standard'?"), ("x", "there are: all, audit, second, standard")]
)
def test_an_unknown_profile_is_refused(name: str, told: str) -> None:
    with pytest.raises(OptionError) as caught:
        Rules({}, schema(), PROFILES).check(info({"profile": name}))
    assert caught.value.faults == (f"unknown profile '{name}' ({told})",)


def test_an_own_fault_is_told_once() -> None:
    with pytest.raises(OptionError) as caught:
        Rules({}, schema(), PROFILES).check(info({"profile": "standard,audit", "batch-wait": "soon", "tga": "x"}))
    assert len(caught.value.faults) == 2


class TestRedirects:
    def test_its_sinks_stand_in_the_place_of_all_others_and_begin_anew(self) -> None:
        redirect = Redirect(number=2, options={"http-url": "http://new"}, since=5, start=BEGINNING)
        options = read(info({"loki-url": "http://own", "multiline": "auto"}), {"syslog-address": "udp://h"}, redirect)
        (choice,) = options.sinks
        assert (choice.instance, choice.own, choice.since) == ("redirect-2.http", False, 0)
        assert choice.transforms.multiline != read(info({"loki-url": "http://x"})).sinks[0].transforms.multiline

    def test_it_may_name_profiles(self) -> None:
        redirect = Redirect(number=1, options={"profile": "audit"}, since=10**12)
        (choice,) = read(info({"loki-url": "http://own"}), redirect=redirect).sinks
        assert (choice.instance, choice.since) == ("audit.http", 10**12 - 60 * 10**9)

    def test_one_without_sinks_changes_options_of_those_there_are(self) -> None:
        redirect = Redirect(number=1, options={"redact": "email"}, since=1)
        (choice,) = read(info({"loki-url": "http://own"}), redirect=redirect).sinks
        assert (choice.instance, choice.own) == ("loki", True)
        assert choice.transforms.redact == ("email",)


def test_what_is_in_force_is_explained_without_secrets() -> None:
    profiles = Profiles(
        defaults={"tag": "t"},
        profiles={"s": Profile(options={"splunk-url": "http://s", "splunk-token": "sesame", "tag": "u"})},
    )
    container = info({"profile": "s", "labels": "team"})
    lines = list(Rules({"max-size": "1m"}, schema(), profiles).explain(container))
    assert "sesame" not in "\n".join(lines)
    assert "  max-size=1m  (PEAVEY_LOG_OPTS)" in lines
    assert "  labels=team  (container)" in lines
    assert lines[lines.index("sink s.splunk (splunk):") + 1 :] == [
        "  splunk-token=***  (profile 's')",
        "  splunk-url=http://s  (profile 's')",
        "  tag=u  (profile 's')",
    ]
