"""``Info``: what the engine says of a container, with as little as it may say."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.docker.info import Info, is_container_id, short_id

ID = "0123456789abcdef" * 4


def decode(text: str) -> Info:
    return msgspec.json.decode(text, type=Info)


def test_names_are_those_of_the_engine() -> None:
    info = decode(
        f"""{{"Config": {{"tag": "x"}}, "ContainerID": "{ID}", "ContainerName": "/web",
        "ContainerEntrypoint": "/bin/sh", "ContainerArgs": ["-c", "echo hi"],
        "ContainerImageID": "sha256:fedcba9876543210", "ContainerImageName": "busybox:1",
        "ContainerCreated": "2024-01-01T00:00:00.5Z", "ContainerEnv": ["A=1"], "ContainerLabels": {{"l": "v"}},
        "LogPath": "", "DaemonName": "docker", "FromTheFuture": [1]}}"""
    )
    assert info == Info(
        container_id=ID,
        config={"tag": "x"},
        container_name="/web",
        container_entrypoint="/bin/sh",
        container_args=["-c", "echo hi"],
        container_image_id="sha256:fedcba9876543210",
        container_image_name="busybox:1",
        container_created="2024-01-01T00:00:00.5Z",
        container_env=["A=1"],
        container_labels={"l": "v"},
        daemon_name="docker",
    )
    assert info.id == "0123456789ab"
    assert info.name == "web"
    assert info.command == "/bin/sh -c echo hi"
    assert info.image_id == "fedcba987654"
    assert info.options == {"tag": "x"}
    assert msgspec.json.decode(msgspec.json.encode(info), type=Info) == info


def test_only_the_id_is_needed() -> None:
    info = decode('{"ContainerID": "ab"}')
    assert (info.id, info.name, info.command, info.image_id, info.options) == ("ab", "", "", "", {})
    assert info.hostname


def test_lists_and_maps_may_be_null() -> None:
    names = ("Config", "ContainerArgs", "ContainerEnv", "ContainerLabels")
    info = decode('{"ContainerID": "ab", ' + ", ".join(f'"{name}": null' for name in names) + "}")
    assert info == Info(container_id="ab")
    assert info.options == {}
    assert info.command == ""


@pytest.mark.parametrize(
    "text", ["{}", '{"ContainerID": null}', '{"ContainerID": 5}', '{"ContainerID": "a", "Config": []}']
)
def test_what_is_no_info_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(text)


def test_only_one_slash_is_taken_from_the_name() -> None:
    assert Info(container_id="a", container_name="//x").name == "/x"
    assert Info(container_id="a", container_name="x/").name == "x/"


@pytest.mark.parametrize(
    ("full", "short"),
    [
        (ID, "0123456789ab"),
        (f"sha256:{ID}", "0123456789ab"),
        ("sha256:abc", "abc"),
        ("abc", "abc"),
        ("", ""),
        ("123456789012", "123456789012"),
    ],
)
def test_short_ids_are_those_of_the_engine(full: str, short: str) -> None:
    assert short_id(full) == short


@given(st.text("0123456789abcdefABCDEF", min_size=1, max_size=128))
def test_hexadecimal_digits_can_be_a_containers_id(text: str) -> None:
    assert is_container_id(text)


@pytest.mark.parametrize("text", ["", "g", "../etc", "ab/cd", "a" * 129, "ab\n", " ab", ".", "٣٣", "ab\0"])
def test_nothing_else_can(text: str) -> None:
    assert not is_container_id(text)
