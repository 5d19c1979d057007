"""The container as a template sees it: the fields and methods of ``Info`` in moby's ``daemon/logger/loginfo.go``."""

import functools
from collections.abc import Callable

from plugin.docker.attributes import extra_attributes
from plugin.docker.info import Info
from plugin.gotemplate.errors import ActionError
from plugin.gotemplate.times import TIME, read_time
from plugin.gotemplate.values import (
    NAME_CHANGER,
    STRING,
    STRING_MAP,
    STRINGS,
    Function,
    GoType,
    StringMap,
    Struct,
    Value,
    to_bytes,
    to_string_map,
    to_strings,
)


class _Source:
    """What the methods work on; it remembers the attributes, which take long to find when patterns are given."""

    def __init__(self, info: Info) -> None:
        self.info = info

    @functools.cached_property
    def attributes(self) -> StringMap:
        try:
            return to_string_map(extra_attributes(self.info, self.info.options))
        except ValueError as error:
            raise ActionError(f"'.ExtraAttributes': {error}") from None


def _text(get: Callable[[Info], str]) -> Function:
    return Function((), STRING, lambda source: to_bytes(get(source.info)))


CONTAINER = GoType(
    "*logger.Info",
    fields={
        "Config": STRING_MAP,
        "ContainerID": STRING,
        "ContainerName": STRING,
        "ContainerEntrypoint": STRING,
        "ContainerArgs": STRINGS,
        "ContainerImageID": STRING,
        "ContainerImageName": STRING,
        "ContainerCreated": TIME,
        "ContainerEnv": STRINGS,
        "ContainerLabels": STRING_MAP,
        "LogPath": STRING,
        "DaemonName": STRING,
    },
    methods={
        "Command": _text(lambda info: info.command),
        "ExtraAttributes": Function((NAME_CHANGER,), STRING_MAP, lambda source, _: source.attributes),
        "FullID": _text(lambda info: info.container_id),
        "Hostname": _text(lambda info: info.hostname),
        "ID": _text(lambda info: info.id),
        "ImageFullID": _text(lambda info: info.container_image_id),
        "ImageID": _text(lambda info: info.image_id),
        "ImageName": _text(lambda info: info.container_image_name),
        "Name": _text(lambda info: info.name),
    },
)
"""The type of a container in a template, the fields in the order of Go's declaration."""


def container(info: Info) -> Struct:
    """Make what a template is rendered over of what the engine says of a container."""
    values: tuple[Value, ...] = (
        to_string_map(info.config),
        to_bytes(info.container_id),
        to_bytes(info.container_name),
        to_bytes(info.container_entrypoint),
        to_strings(info.container_args),
        to_bytes(info.container_image_id),
        to_bytes(info.container_image_name),
        read_time(info.container_created),
        to_strings(info.container_env),
        to_string_map(info.container_labels),
        to_bytes(info.log_path),
        to_bytes(info.daemon_name),
    )
    return Struct(CONTAINER, _Source(info), dict(zip(CONTAINER.fields, values, strict=True)))
