"""Upkeep of attachments: those that are to be written, or removed, once the disk takes it."""

import logging

from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.stream import Stream

logger = logging.getLogger(__name__)


class AttachmentUpkeep:
    """Sees to it that each stream has an attachment until its journal says all that is to be known of it."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments
        self._unsaved: dict[str, Attachment] = {}
        self._unnoted: dict[str, Stream] = {}

    @property
    def unsaved(self) -> set[str]:
        """The names of the streams whose attachment is still to be written."""
        return set(self._unsaved)

    def save_later(self, attachment: Attachment) -> None:
        """Write an attachment once the disk takes it."""
        self._unsaved[attachment.name] = attachment

    def end(self, stream: Stream) -> None:
        """Remove the attachment of a stream that has ended, once the journal's info.json is written."""
        if stream.container.is_unnoted(stream):
            self._unnoted[stream.name] = stream
        else:
            self._remove(stream)

    def work(self) -> None:
        """Do what can be done by now of what could not be done before."""
        self._save()
        for name, ended in list(self._unnoted.items()):
            if not ended.container.is_unnoted(ended):
                del self._unnoted[name]
                self._remove(ended)

    def _save(self) -> None:
        for name, attachment in list(self._unsaved.items()):
            try:
                self._attachments.save(attachment)
            except OSError:
                return
            del self._unsaved[name]

    def _remove(self, stream: Stream) -> None:
        try:
            self._attachments.remove(stream.name)
        except OSError as error:
            logger.warning(
                "container %s: stream %s: cannot remove the attachment: %s", stream.container.label, stream.name, error
            )
        self._unsaved.pop(stream.name, None)
