"""Which containers have streams, by the attachments in the data folder: only their journals can grow."""

import os

import msgspec

from plugin.journal.folder import DataFolder


class _Info(msgspec.Struct):
    container_id: str = msgspec.field(name="ContainerID")


class _Attachment(msgspec.Struct):
    """The part of an attachment that matters here."""

    info: _Info


class AttachedContainers:
    """Remembers whose the attachments are, so that each is read once."""

    def __init__(self, data: DataFolder) -> None:
        self._folder = data.streams
        self._known: dict[str, str] = {}

    def containers(self) -> set[str]:
        """Give the ids of the containers that have streams now."""
        names = {name for name in os.listdir(self._folder) if name.endswith(".json")}
        for gone in self._known.keys() - names:
            del self._known[gone]
        for name in names - self._known.keys():
            try:
                attachment = msgspec.json.decode((self._folder / name).read_bytes(), type=_Attachment)
            except (OSError, msgspec.DecodeError):
                continue
            self._known[name] = attachment.info.container_id
        return set(self._known.values())
