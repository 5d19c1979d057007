"""Keep track of misconfigured containers and sinks: logged once, and shown in status while they last."""

import logging
from collections.abc import Set as AbstractSet

from plugin.errors import JournalError

logger = logging.getLogger(__name__)

_WHOLE = ""
"""In the place of a sink's instance: a fault of the container as a whole."""
_MEND_NOTE = "if it is damaged, start the container again: the first line that it prints rewrites it"


class Faults:
    """The faults that there are now, of containers (by id) and their sinks (by instance)."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, str]] = {}

    def __contains__(self, container_id: str) -> bool:
        """Return whether there is one of a container."""
        return container_id in self._of

    def note(self, container_id: str, instance: str, fault: str, *, defect: bool, label: str = "") -> None:
        """Note why a sink cannot be used; where that is a ``defect``, the error that is being handled is logged too.

        ``label`` is what the log calls the container.
        """
        of = self._of.setdefault(container_id, {})
        if of.get(instance) != fault:
            logger.error(
                "container %s, sink %s: misconfigured; its log waits in the journal: %s",
                label or container_id[:12],
                instance,
                fault,
                exc_info=defect,
            )
        of[instance] = fault

    def note_unreadable(self, container_id: str, error: JournalError, *, known: bool, label: str = "") -> None:
        """Note that a container's log-opts cannot be read, and whether they are ``known`` from before."""
        what = "its log-opts hold as they were read before" if known else "it is not delivered, its log waits"
        fault = f"{what}: {error}; {_MEND_NOTE}"
        of = self._of.setdefault(container_id, {})
        if of.get(_WHOLE) != fault:
            logger.error("container %s: %s", label or container_id[:12], fault)
        of[_WHOLE] = fault

    def forget(self, container_id: str, instance: str) -> None:
        """Forget the fault of a sink, which is fixed."""
        self.forget_all_but(container_id, self._of.get(container_id, {}).keys() - {instance})

    def forget_all_but(self, container_id: str, instances: AbstractSet[str]) -> None:
        """Forget those of a container but for these sinks."""
        kept = {instance: fault for instance, fault in self._of.get(container_id, {}).items() if instance in instances}
        if kept:
            self._of[container_id] = kept
        else:
            self._of.pop(container_id, None)

    def texts(self) -> list[str]:
        """Return a sentence for each, which begins with the container and the sink that it is of."""
        return [
            f"{' '.join(filter(None, (container_id[:12], instance)))}: {fault}"
            for container_id, of in self._of.items()
            for instance, fault in of.items()
        ]
