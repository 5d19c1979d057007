"""Labels as Grafana's Docker driver makes them (``clients/cmd/docker-driver/config.go``)."""

import re
from collections.abc import Mapping

import msgspec
import pytest

from plugin.errors import PeaveyError
from plugin.sinks.base import MisconfiguredError
from plugin.sinks.loki.labels import (
    container_labels,
    container_metadata,
    label_name,
    parse_external_labels,
    part_labels,
)
from plugin.sinks.loki.relabel import parse_rules
from tests.sinks.factories import INFO, origin_of

COMPOSED = msgspec.structs.replace(
    INFO,
    container_labels={
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "front",
        "com.docker.swarm.service.name": "shop_front",
        "com.docker.stack.namespace": "shop",
    },
)


def labels_of(
    external: str = "", rules: str = "", attributes: Mapping[str, str] | None = None
) -> dict[str, str] | None:
    origin = origin_of(attributes=attributes)
    return container_labels(origin, parse_external_labels(external), parse_rules(rules))


def test_what_is_always_there() -> None:
    assert labels_of() == {"container_name": "web", "host": "node1"}


def test_names_in_compose_and_swarm() -> None:
    assert container_labels(origin_of(COMPOSED), (), ()) == {
        "compose_project": "shop",
        "compose_service": "front",
        "container_name": "web",
        "host": "node1",
        "swarm_service": "shop_front",
        "swarm_stack": "shop",
    }


def test_external_labels_add_to_the_containers_name() -> None:
    assert labels_of("job=docker,id={{.ID}}.{{.Name}}") == {
        "container_name": "web",
        "host": "node1",
        "id": "8c1f8c1f8c1f.web",
        "job": "docker",
    }
    assert labels_of("container_name={{.ImageName}}") == {"container_name": "nginx:1.27", "host": "node1"}


def test_an_empty_external_label_takes_a_label_away() -> None:
    assert labels_of("container_name=,host=,job=x") == {"job": "x"}


def test_commas_and_equals_signs_in_templates() -> None:
    assert labels_of('a={{join (split .Name "e") ","}},b=x=y') == {
        "a": "w,b",
        "b": "x=y",
        "container_name": "web",
        "host": "node1",
    }


def test_attributes_win_over_external_labels_and_the_host_over_all() -> None:
    labels = labels_of("team=a,host=b", attributes={"team": "core", "my-app.name": "x"})
    assert labels == {"container_name": "web", "host": "node1", "my_app_name": "x", "team": "core"}


def test_rules_change_labels_and_can_read_the_file_name_that_grafanas_driver_has() -> None:
    rules = """
    - source_labels: [filename]
      regex: /var/log/docker/(.{6}).*
      target_label: short
    - {action: labeldrop, regex: host}
    """
    assert labels_of(rules=rules) == {"container_name": "web", "short": "8c1f8c"}
    assert labels_of(rules="[{target_label: filename, replacement: mine}]") == {
        "container_name": "web",
        "filename": "mine",
        "host": "node1",
    }


def test_a_rule_can_drop_a_container() -> None:
    assert labels_of(rules="[{source_labels: [container_name], regex: web, action: drop}]") is None


def test_names_are_made_fit_for_loki() -> None:
    names = {"a-b.c": "a_b_c", "0a": "_0a", "ünder": "_nder", "a b": "a_b", "A_1": "A_1"}
    assert {name: label_name(name) for name in names} == names


def test_blanks_round_labels_are_not_part_of_their_names() -> None:
    assert [name for name, _ in parse_external_labels("a=b, c=d ,\te =f, ")] == ["a", "c", "e"]
    labels = labels_of("job = x")
    assert labels is not None
    assert labels["job"] == " x", "a value keeps its blanks"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("job", "'job' is not a label"),
        ("=x", "'=x' is not a label"),
        ("a=b,,c", "'c' is not a label"),
        ("a={{.Nmae}}", "unknown field '.Nmae'"),
        ("__tenant_id__=x", "use loki-tenant-id"),
    ],
)
def test_external_labels_that_are_wrong(text: str, fault: str) -> None:
    with pytest.raises((ValueError, PeaveyError), match=re.escape(fault)):
        parse_external_labels(text)


def test_actions_without_an_end_do_not_hold_the_plugin_up() -> None:
    """The interpreter's own expressions would search for each end anew, for hours, while no other thread can run."""
    with pytest.raises(ValueError, match="is not a label"):
        parse_external_labels("{" * 1_000_000)


def test_a_template_that_cannot_be_filled_in_for_a_container() -> None:
    with pytest.raises(MisconfiguredError, match="loki-external-labels"):
        labels_of("a={{index .ContainerArgs 7}}")


def test_what_would_make_too_many_streams_is_metadata() -> None:
    assert container_metadata(origin_of()) == {"container_id": "8c1f" * 16, "image": "nginx:1.27", "tag": ""}
    assert container_metadata(origin_of(tag="web/1"))["tag"] == "web/1"


def test_more_labels_than_loki_takes_are_parted_chosen_ones_last() -> None:
    labels = {"container_name": "web", "a-b": "1", "team": "core", "empty": "", "compose_service": "front", "host": "n"}
    assert part_labels({label_name(name): value for name, value in labels.items()}, ["a-b", "team"], 4) == (
        {"container_name": "web", "a_b": "1", "compose_service": "front", "host": "n"},
        {"team": "core", "empty": ""},
    )


def test_a_value_that_is_too_long_for_a_label_is_parted() -> None:
    assert part_labels({"a": "ü" * 1024, "b": "ü" * 1025}, (), 9) == ({"a": "ü" * 1024}, {"b": "ü" * 1025})
