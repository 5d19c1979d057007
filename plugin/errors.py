"""The errors that Peavey raises on purpose; each message is written for the person who will read it.

PeaveyError
├── RequestError      a request of the engine that does not follow the protocol
├── OptionError       log-opts that cannot be accepted, with every fault that was found
├── ProfilesError     the file of profiles and routes, with every fault that was found
├── SettingError      a setting of the plugin itself (a flag or a PEAVEY_… variable)
├── StoppedError      a request to a plugin that is shutting down
├── JournalError      files below the data folder that cannot be used
│   ├── DamagedCursorError   a cursor whose content makes no sense
│   └── HeldError            a journal that cannot be written just now, so that its bytes stay in the FIFO
├── FrameError        bytes that are not a log entry: ``plugin.docker.frames``
├── TagError          a template that is wrong, or does not suit a container: ``plugin.docker.tag``
└── SinkError         a batch that was not acknowledged, of one of three kinds: ``plugin.sinks.base``
"""

from collections.abc import Iterable

_MOST_FAULTS = 20


class PeaveyError(Exception):
    """Base of all errors that are reported as one message, without a stack trace."""


class RequestError(PeaveyError):
    """A request that is malformed or refers to something that does not exist."""


class OptionError(PeaveyError):
    """Log-opts that cannot be accepted.

    ``faults`` holds one sentence per fault; the message joins them, so that all can be fixed at once, as far
    as a person would read them.
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(_joined(self.faults))


class ProfilesError(PeaveyError):
    """A file of profiles and routes that cannot be used; ``faults`` as for `OptionError`, each with its line."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(_joined(self.faults))


class SettingError(PeaveyError):
    """A setting of the plugin that cannot be used."""


class StoppedError(PeaveyError):
    """Raised when the plugin is shutting down."""

    def __init__(self) -> None:
        super().__init__("the plugin is stopping; ask again when it is back")


class JournalError(PeaveyError):
    """A file of the journal that cannot be read or written."""


class DamagedCursorError(JournalError):
    """A cursor that can be read but makes no sense: it is lost for good."""


class HeldError(JournalError):
    """A journal that cannot be written for lack of a resource: bytes stay in the FIFO until it can be."""


def _joined(faults: tuple[str, ...]) -> str:
    shown = [*faults[:_MOST_FAULTS]]
    if len(faults) > len(shown):
        shown.append(f"and {len(faults) - len(shown):,} more faults")
    return "; ".join(shown)
