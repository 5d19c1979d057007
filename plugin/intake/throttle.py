"""Throttling: which containers are slowed down, because too much of their logs waits to be delivered."""

from collections.abc import Mapping

from plugin.intake.journal_state import KeptJournal

_ENOUGH = 0.9
"""Share of ``buffer-limit`` below which a container is let go again."""


def to_slow_down(journals: Mapping[str, KeptJournal], attached: set[str], slowed: set[str], *, short: bool) -> set[str]:
    """Choose the containers to slow down now, of those whose ``overflow`` is ``throttle``.

    They are those that hold more than their ``buffer-limit`` undelivered, or any while room on the disk is ``short``;
    ``slowed`` are those that are slowed down already.
    """
    chosen = set()
    for container_id in attached & journals.keys():
        journal = journals[container_id]
        if journal.options is None or not journal.throttles:
            continue
        bound = journal.options.buffer_limit * (_ENOUGH if container_id in slowed else 1)
        if journal.undelivered > (0 if short else bound):
            chosen.add(container_id)
    return chosen
