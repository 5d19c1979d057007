"""Batch size: how large the next batch may be, smaller after what was refused or cut, growing with each success."""

SMALLEST = 16 * 1024
"""Bytes of journal: a batch no larger than this is not cut because it may be too large."""


class BatchSize:
    """Bytes of journal that a batch may take, between ``SMALLEST`` and ``largest``, which may itself be smaller."""

    def __init__(self, largest: int) -> None:
        self.current = largest
        self._largest = largest
        self._in_one_piece = True

    def begin(self) -> None:
        """Note that a batch is about to be delivered, so far in one piece."""
        self._in_one_piece = True

    def note_refusal(self) -> None:
        """Keep batches small, as a record was refused for good: where one is, there may be many.

        Each takes requests of its own, for which the other containers in the batch wait.
        """
        self._in_one_piece = False
        self.current = min(self.current, SMALLEST)

    def note_cut(self, taken: int) -> None:
        """Halve, as a batch that takes so many bytes of journal may be too large."""
        self.current = min(self.current, max(SMALLEST, taken // 2))

    def note_success(self, taken: int) -> None:
        """Grow, as so many bytes of journal were taken at once: what was taken in one piece can be taken again."""
        if self.current < self._largest:
            larger = self.current + self.current // 16
            self.current = min(self._largest, max(larger, taken if self._in_one_piece else 0))
