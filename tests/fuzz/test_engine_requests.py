"""Requests of the engine: each is understood, or refused with a message; what a container is called breaks nothing."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.api.requests import ReadLogs, StartLogging, StopLogging, decode
from plugin.docker.attributes import compile_pattern, extra_attributes
from plugin.docker.info import Info
from plugin.docker.tag import TagError, compile_tag
from plugin.docker.times import format_time, parse_time
from plugin.errors import PeaveyError, RequestError
from tests.fuzz.budget import fuzzed
from tests.fuzz.odd import TEXTS, changed, changed_json
from tests.testbed.standin import ReadConfig, container_info, rfc3339

SOUND_INFO = container_info({"max-size": "10k", "labels": "app", "env-regex": "^A"}) | {
    "ContainerLabels": {"app": "web"},
    "ContainerEnv": ["A=b", "PATH=/bin"],
}
BODIES: dict[type[Any], object] = {
    StartLogging: {"File": "/run/docker/logging/abc", "Info": SOUND_INFO},
    StopLogging: {"File": "/run/docker/logging/abc"},
    ReadLogs: {"Info": SOUND_INFO, "Config": ReadConfig(tail=3, since=10**18).as_json()},
}
INFOS = st.builds(
    Info,
    container_id=st.text("0123456789abcdef", min_size=1, max_size=64),
    config=st.none() | st.dictionaries(st.sampled_from(["labels", "labels-regex", "env", "env-regex"]), TEXTS),
    container_name=TEXTS,
    container_entrypoint=TEXTS,
    container_args=st.none() | st.lists(TEXTS, max_size=3),
    container_image_id=TEXTS,
    container_image_name=TEXTS,
    container_created=TEXTS,
    container_env=st.none() | st.lists(TEXTS | TEXTS.map("A={}".format), max_size=4),
    container_labels=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=4),
    daemon_name=TEXTS,
)


@pytest.mark.parametrize("kind", BODIES)
@fuzzed(0.5)
@given(data=st.data())
def test_a_body(kind: type[Any], data: st.DataObject) -> None:
    body = data.draw(changed_json(BODIES[kind]) | st.binary(max_size=50))
    message = ""
    try:
        request = decode(body, kind, "LogDriver.Method")
        if isinstance(request, ReadLogs):
            request.query()
    except RequestError as error:
        message = str(error)
    assert len(message) < 2_000


@fuzzed()
@given(INFOS, TEXTS)
def test_a_container(info: Info, tag: str) -> None:
    assert len(info.id) <= 12
    assert isinstance((info.name, info.command, info.image_id), tuple)
    with contextlib.suppress(PeaveyError, ValueError):
        extra_attributes(info, info.options)
    with contextlib.suppress(TagError):
        compile_tag("{{.Name}}{{.ExtraAttributes nil}}" + tag).render(info)
    with contextlib.suppress(TagError):
        compile_tag("{{.ContainerCreated}} {{json .}} {{.Command}} {{.ImageFullID}}").render(info)


@fuzzed()
@given(TEXTS | changed(rfc3339(10**18 + 7).encode()).map(lambda content: content.decode(errors="replace")))
def test_a_time(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(format_time(parse_time(text)), str)


@fuzzed()
@given(TEXTS | st.text("()[]{}*+?|\\^$.a1-,:<>P", max_size=30))
def test_a_pattern(text: str) -> None:
    with contextlib.suppress(ValueError, PeaveyError):
        compile_pattern(text).search("some text")
