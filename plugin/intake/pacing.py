"""Pauses between two readings of a pipe, so that it collects: each reading costs the engine time, too."""

LONGEST_PAUSE = 0.005
"""Seconds that a busy pipe is left alone at most: what is printed is in the journal after that."""

_SHORTEST_PAUSE = 0.0001

_SHARE = 3 / 8
"""Of its capacity, what a pipe may fill up to meanwhile. The kernel keeps what is written in pages, and one that holds
a line of just over half a page takes no other: such a pipe is full with half its capacity."""


class Pace:
    """How long one pipe may collect, by how fast it filled up to now: a full pipe holds its container up.

    A pause is no more than twice the one before, so that a lull does not count as the end of a burst.
    """

    def __init__(self, now: float) -> None:
        self._read_at = now
        self._pause = _SHORTEST_PAUSE

    def pause_after(self, taken: int, capacity: int, now: float) -> float:
        """Return the pause in seconds, now that ``taken`` bytes were read from a pipe with a ``capacity`` in bytes."""
        elapsed, self._read_at = now - self._read_at, now
        fitting = elapsed * _SHARE * capacity / max(taken, 1)
        self._pause = max(_SHORTEST_PAUSE, min(fitting, 2 * self._pause, LONGEST_PAUSE))
        return self._pause
