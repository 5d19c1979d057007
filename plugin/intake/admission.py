"""Decide whether a container's log-opts are accepted.

Log-opts that were accepted once for a container are never refused again: the engine repeats StartLogging to read the
logs of a stopped container and after its own restart, and a stricter version must not break those.
"""

import logging
from collections.abc import Mapping

from plugin.config.common_options import JOURNAL_ONLY
from plugin.config.effective import Rules
from plugin.config.options import ContainerOptions, check_start
from plugin.config.profiles import Profiles, Redirect
from plugin.config.schema import Schema
from plugin.docker.info import Info
from plugin.errors import JournalError, OptionError
from plugin.intake.attachments import Attachments
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import read_metadata
from plugin.journal.redirects import read_redirect

logger = logging.getLogger(__name__)


class Admission:
    """The acceptance of log-opts.

    ``defaults`` are the plugin-wide ones, which a container's own override; ``schema`` is all that can be given.
    """

    def __init__(self, data: DataFolder, defaults: Mapping[str, str], schema: Schema = JOURNAL_ONLY) -> None:
        self._data = data
        self._attachments = Attachments(data.streams)
        self._rules = Rules(defaults, schema)
        self._told: set[str] = set()

    @property
    def rules(self) -> Rules:
        """What options are made by now: another object whenever profiles have changed."""
        return self._rules

    def use(self, profiles: Profiles) -> None:
        """Go by these profiles from now on. May be called from any thread."""
        self._rules = Rules(self._rules.log_opts, self._rules.schema, profiles)

    def admit(self, info: Info) -> ContainerOptions:
        """Return the options of a container that starts. Raises ``OptionError`` with all faults."""
        try:
            options = self._rules.check(info)
            check_start(options, info)
        except OptionError as error:
            if not self._accepted_before(info):
                raise
            logger.warning("container %s: log-opts that were accepted before are faulty now: %s", info.label, error)
            return self.options_of(info)
        for note in options.notes:
            if note not in self._told:
                self._told.add(note)
                logger.info("%s", note)
        return options if self._redirect(info) is None else self.options_of(info)

    def options_of(self, info: Info) -> ContainerOptions:
        """Return the options of a container whose log-opts were accepted once; what is at fault has its default."""
        return self._rules.read(info, self._redirect(info))[0]

    def outline_of(self, info: Info) -> ContainerOptions:
        """Return of these options what intake needs, in microseconds: for threads in which nothing may take long."""
        return self._rules.outline(info, self._redirect(info))

    def _redirect(self, info: Info) -> Redirect | None:
        """Return the redirect of a container; None where it is damaged, of which delivery tells."""
        try:
            return read_redirect(self._data.container(info.container_id))
        except JournalError as error:
            logger.debug("container %s: %s", info.label, error)
            return None

    def _accepted_before(self, info: Info) -> bool:
        try:
            note = read_metadata(self._data.container(info.container_id))
        except JournalError:
            note = None
        known = [attachment.info for attachment in self._attachments.load()]
        if note is not None:
            known.append(note.info)
        return any(other.container_id == info.container_id and other.options == info.options for other in known)
