"""Watch the file of profiles, and bring it into force when it has changed and is without faults."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from plugin.config.profiles import Profiles
from plugin.config.schema import Schema
from plugin.errors import JournalError, ProfilesError
from plugin.journal.accepted_profiles import Accepted, read_accepted, write_accepted
from plugin.journal.layout import DataFolder
from plugin.journal.redirects import time_asked

logger = logging.getLogger(__name__)

_TICK = 0.25
"""Seconds between two looks; what has changed is read when it was the same for two, so that nothing half written is."""

_Seen = tuple[int, int, int] | None


class ProfilesWatcher(threading.Thread):
    """The thread that looks at the file; ``log_opts`` are the plugin-wide log-opts.

    ``apply`` is called, in the thread, with profiles that came into force, and ``asked`` when a command has left
    something to see to (see ``plugin.journal.redirects``). ``fault`` says why the file is not in force,
    empty if it is. A file that is gone takes nothing back: its folder may just not be mounted.
    """

    def __init__(
        self,
        data: DataFolder,
        path: Path,
        log_opts: Mapping[str, str],
        schema: Schema,
        apply: Callable[[Profiles], None],
        asked: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="profiles", daemon=True)
        self.fault = ""
        self._data = data
        self._path = path
        self._log_opts = log_opts
        self._schema = schema
        self._apply = apply
        self._on_asked = asked
        self._asked = 0
        self._wake = threading.Event()
        self._read: _Seen | bool = False
        self._seen: _Seen = None
        self._in_force = Profiles()

    def begin(self) -> None:
        """Bring into force what was before, then what the file says now."""
        kept = None
        try:
            kept = read_accepted(self._data)
            self._in_force = kept.profiles
        except JournalError as error:
            logger.error("profiles: what was in force before is lost: %s", error)  # noqa: TRY400 (told in full)
        self._apply(self._in_force)
        self._seen = self._look()
        self._load(self._seen)
        if kept == Accepted(profiles=self._in_force, log_opts=dict(self._log_opts)):
            return
        try:
            write_accepted(self._data, self._in_force, self._log_opts)
        except OSError as error:
            logger.warning("profiles: cannot be kept: %s", error)

    def reload(self) -> None:
        """Read the file at once, whether or not it seems to have changed. Safe in a signal's handler."""
        self._wake.set()

    def run(self) -> None:
        """Look at the file until the process ends."""
        while True:
            asked = self._wake.wait(_TICK)
            self._wake.clear()
            self._look_for_commands()
            seen = self._look()
            if asked or (seen != self._read and seen == self._seen):
                try:
                    self._load(seen)
                except Exception:
                    logger.exception("profiles: reload failed")
            self._seen = seen

    def _look_for_commands(self) -> None:
        asked = time_asked(self._data)
        if asked != self._asked:
            self._asked = asked
            self._on_asked()

    def _look(self) -> _Seen:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self, seen: _Seen) -> None:
        self._read = seen
        if seen is None:
            self._note_absence()
            return
        from plugin.config.profiles_file import read_profiles  # noqa: PLC0415 (YAML is for those who have such a file)

        try:
            profiles = read_profiles(self._path, self._schema, self._log_opts)
        except FileNotFoundError:
            self._note_absence()
        except ProfilesError as error:
            self._note_fault([*error.faults])
        else:
            self._note_fault([])
            self._accept(profiles)

    def _accept(self, profiles: Profiles) -> None:
        profiles = msgspec.structs.replace(profiles, accepted=self._in_force.accepted)
        if profiles == self._in_force:
            logger.info("profiles: %s read, nothing has changed", self._path)
            return
        profiles = msgspec.structs.replace(profiles, accepted=time.time_ns())
        try:
            write_accepted(self._data, profiles, self._log_opts)
        except OSError as error:
            self._read = False  # to try again
            logger.warning("profiles: %s cannot come into force yet: %s", self._path, error)
            return
        self._in_force = profiles
        self._apply(profiles)
        logger.info(
            "profiles: %s is in force: %d profiles, %d routes",
            self._path,
            len(profiles.profiles),
            len(profiles.routes),
        )

    def _note_absence(self) -> None:
        empty = Profiles(source=self._in_force.source, accepted=self._in_force.accepted)
        gone = "it is gone; what it said last stays in force (an empty file takes it back)"
        self._note_fault([] if self._in_force == empty else [gone])

    def _note_fault(self, faults: list[str]) -> None:
        for fault in faults:
            logger.error("profiles: %s refused: %s", self._path, fault)
        kept = "what was in force before stays in force" if self._in_force.accepted else "no profiles are in force"
        self.fault = f"{self._path}: {ProfilesError(faults)}; {kept}" if faults else ""
