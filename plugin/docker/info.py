"""``Info``: what the engine says of a container when it starts logging or asks for its logs.

Field names and meanings are those of ``Info`` in moby's ``daemon/logger/loginfo.go``; only the container id is
certain to be there, everything else may be missing, empty or ``null``.
"""

import re
import socket

import msgspec

_SHORT_ID_LENGTH = 12
_CONTAINER_ID = re.compile(r"[0-9a-fA-F]{1,128}")


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """A container, as the engine describes it."""

    container_id: str = msgspec.field(name="ContainerID")
    config: dict[str, str] | None = msgspec.field(name="Config", default=None)
    container_name: str = msgspec.field(name="ContainerName", default="")
    container_entrypoint: str = msgspec.field(name="ContainerEntrypoint", default="")
    container_args: list[str] | None = msgspec.field(name="ContainerArgs", default=None)
    container_image_id: str = msgspec.field(name="ContainerImageID", default="")
    container_image_name: str = msgspec.field(name="ContainerImageName", default="")
    container_created: str = msgspec.field(name="ContainerCreated", default="")
    container_env: list[str] | None = msgspec.field(name="ContainerEnv", default=None)
    container_labels: dict[str, str] | None = msgspec.field(name="ContainerLabels", default=None)
    log_path: str = msgspec.field(name="LogPath", default="")
    daemon_name: str = msgspec.field(name="DaemonName", default="")

    @property
    def options(self) -> dict[str, str]:
        """The log-opts, name to value; empty where none were given."""
        return self.config or {}

    @property
    def id(self) -> str:
        """The first 12 characters of the container's id, as ``docker ps`` prints it."""
        return short_id(self.container_id)

    @property
    def name(self) -> str:
        """The container's name without the leading slash."""
        return self.container_name.removeprefix("/")

    @property
    def label(self) -> str:
        """Name and short id, as the log calls the container."""
        return f"{self.name} ({self.id})" if self.name else self.id

    @property
    def command(self) -> str:
        """Entrypoint and arguments, joined by spaces."""
        return " ".join([self.container_entrypoint, *(self.container_args or ())])

    @property
    def image_id(self) -> str:
        """The image's id, shortened as the engine does."""
        return short_id(self.container_image_id)

    @property
    def hostname(self) -> str:
        """The host's name (the plugin shares the host's network and UTS names through ``gethostname``)."""
        return socket.gethostname()


def is_container_id(text: str) -> bool:
    """Return whether a text can be a container's id: hexadecimal digits, at most 128."""
    return _CONTAINER_ID.fullmatch(text) is not None


def short_id(full: str) -> str:
    """Shorten an id as the engine does: the part after ``sha256:``, 12 characters (moby's ``stringid.TruncateID``)."""
    return full.rpartition(":")[2][:_SHORT_ID_LENGTH]
