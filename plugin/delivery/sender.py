"""Sending: a batch is sent until it is acknowledged, or what is at fault in it has become a dead letter."""

import asyncio
import logging
import time

from plugin.delivery.backoff import Backoff
from plugin.delivery.batch import (
    Batch,
    acknowledge,
    bury,
    count_records,
    has_records,
    is_one_record,
    journal_bytes,
    note_refusals,
    oldest_time,
    parted,
    records_of,
    split,
    without_closed,
)
from plugin.delivery.batch_notes import BatchNotes, NotedBatch, noted_tails
from plugin.delivery.batch_size import SMALLEST, BatchSize
from plugin.delivery.destination_state import DestinationState
from plugin.delivery.encode_guard import Defects
from plugin.delivery.secret_reload import CurrentSink
from plugin.errors import JournalError
from plugin.sinks.base import (
    MisconfiguredError,
    PartlyRefusedError,
    RejectError,
    RetryError,
    SinkError,
    TooLargeError,
    UnavailableError,
)

logger = logging.getLogger(__name__)

_ATTEMPTS_IN_ONE_PIECE = 3


class Sender:
    """Sends the batches of the destination that the log calls ``name``, one after the other.

    With ``notes`` each is noted before it is sent, see `BatchNotes`.
    """

    def __init__(
        self,
        name: str,
        sink: CurrentSink,
        state: DestinationState,
        size: BatchSize,
        backoff: Backoff,
        notes: BatchNotes | None = None,
    ) -> None:
        self._name = name
        self._sink = sink
        self._state = state
        self._size = size
        self._backoff = backoff
        self._notes = notes
        self._defects = Defects(name)
        self.is_replaying = notes is not None and notes.is_pending()
        """Whether a batch that was noted by an earlier process is still to be sent, which `replay` does."""

    async def replay(self) -> None:
        """Send the batches that were noted and may not have been acknowledged, before anything else."""
        if self._notes is None:
            return
        try:
            while noted := self._notes.take():
                logger.info("destination %s: sending %d records again as they were noted", self._name, noted.records)
                await self._send_again(self._notes, noted)
                self._notes.remove()
        finally:
            self._notes.let_go()
        self.is_replaying = False

    async def _send_again(self, notes: BatchNotes, noted: NotedBatch) -> None:
        """Send a noted batch until the answer is final, and move the cursors; if it is refused, it is read again."""
        is_delivered = False
        while True:
            try:
                if not is_delivered:
                    await self._sink.send(noted.payload)
                    is_delivered = True
                    self._note_answer()
                    self._state.note_success(noted.records, len(noted.payload))
                notes.settle(noted.tails)
            except RejectError as error:
                self._note_answer()
                logger.info("destination %s: refused, to be read and sent again: %s", self._name, error)
                return
            except SinkError as error:
                await self._recover(error)
            except (OSError, JournalError) as error:
                await self._recover(RetryError(f"cannot move the cursors of a batch: {error}"))
            except Exception as error:  # noqa: BLE001 (as for other batches)
                await self._recover(RetryError(self._defects.tell(error)))
            else:
                return

    async def deliver(self, batch: Batch) -> None:
        """Deliver a batch for good, cut into as many pieces as that takes, in order."""
        self._size.begin()
        pieces = [batch]
        while pieces:
            pieces += reversed(await self._deliver_piece(pieces.pop()))

    async def _deliver_piece(self, batch: Batch) -> tuple[Batch, ...]:
        """Send until the answer is final; return the pieces that are to be delivered in its place.

        One that fails again and again is tried in halves. It may be too large for what the server, or a proxy in front
        of it, takes at once or in the time given, and few say so: they close the connection, or answer 429 or 500.
        """
        if self._notes is not None:
            batch = without_closed(batch)
        if not has_records(batch):
            acknowledge(batch)
            return ()
        attempts = 0
        payload = None
        while attempts < _ATTEMPTS_IN_ONE_PIECE or not self._may_be_too_large(batch):
            await asyncio.sleep(0)  # a sink that has nothing to send may never wait, and others must have their turns
            if self._notes is None:
                payload = None
            began = time.monotonic()
            try:
                if payload is None:
                    payload = self._encode(batch)
                await self._sink.send(payload)
            except RejectError as error:
                if payload is not None:  # the destination has answered
                    self._note_answer()
                self._forget_note()
                return self._narrow_down(batch, error)
            except PartlyRefusedError as error:
                self._note_answer()
                self._bury_some(batch, error, len(payload or b""))
                self._forget_note()
                return ()
            except SinkError as error:
                attempts += isinstance(error, RetryError) and not isinstance(error, UnavailableError)
                await self._recover(error)
            except Exception as error:  # noqa: BLE001 (a defect of the sink must not end delivery, nor lose the batch)
                await self._recover(RetryError(self._defects.tell(error)))
            else:
                self._succeed(batch, len(payload), time.monotonic() - began)
                return ()
        self._size.note_cut(journal_bytes(batch))
        return split(batch)

    def _succeed(self, batch: Batch, size: int, took: float) -> None:
        self._note_answer()
        oldest = oldest_time(batch)
        count = acknowledge(batch)
        if oldest is not None:
            self._state.note_delay(oldest)
        self._settle_closed(batch)
        self._forget_note()
        self._size.note_success(journal_bytes(batch))
        self._state.note_success(count, size)
        logger.debug("destination %s: %d records, %d bytes, %.3f s", self._name, count, size, took)

    def _encode(self, batch: Batch) -> bytes:
        """Encode a batch, and note it where that is asked for. Raises ``RetryError`` if there is no room for that."""
        payload = self._defects.encode(self._sink.current, records_of(batch))
        if self._notes is not None:
            try:
                self._notes.write(batch, payload)
            except OSError as error:
                raise RetryError(f"cannot note a batch before it is sent: {error.strerror}") from error
        return payload

    def _forget_note(self) -> None:
        if self._notes is not None:
            self._notes.remove()

    def _settle_closed(self, batch: Batch) -> None:
        """Move the cursors of tails that were closed while their records were under way: others may read on there."""
        if self._notes is None or not (closed := [group for group in batch if group.tail.is_closed]):
            return
        try:
            self._notes.settle(noted_tails(closed))
        except (OSError, JournalError) as error:
            logger.warning("destination %s: cannot move the cursors of a batch: %s", self._name, error)

    def _may_be_too_large(self, batch: Batch) -> bool:
        """Return whether it is worth trying in halves what has failed again and again.

        One that was noted may have been taken as a whole: in halves it would be there twice.
        """
        return self._notes is None and not is_one_record(batch) and journal_bytes(batch) > SMALLEST

    def _note_answer(self) -> None:
        self._backoff.reset()
        if self._state.note_answer():
            logger.info("destination %s: recovered", self._name)

    def _narrow_down(self, batch: Batch, error: RejectError) -> tuple[Batch, ...]:
        """Split a rejected batch, until the record at fault is alone and becomes a dead letter.

        Where the destination names it, it is parted from the others at once.
        """
        if is_one_record(batch):
            self._state.note_refusal()
            self._size.note_refusal()
            bury(batch, str(error))
            return ()
        if error.index is not None and error.index < count_records(batch):
            before, alone, behind = parted(batch, error.index)
            if error.took_those_before:
                self._state.note_records(acknowledge(before), 0)
                return alone, behind
            return before, alone, behind
        if isinstance(error, TooLargeError):
            self._size.note_cut(journal_bytes(batch))
        return split(batch)

    def _bury_some(self, batch: Batch, error: PartlyRefusedError, size: int) -> None:
        """Go on behind a batch of which some records are refused, nobody knows which: a note of it is kept."""
        count = count_records(batch)
        refused = min(error.refused, count)
        self._state.note_refusal(refused)
        if refused == count:
            bury(batch, str(error))
            return
        logger.warning("destination %s: %d of %d records refused for good: %s", self._name, refused, count, error)
        note_refusals(batch, str(error))
        acknowledge(batch)
        self._state.note_success(count - refused, size)

    async def _recover(self, error: SinkError) -> None:
        """Wait until it is time to try again; with a secret that has changed, it is at once if that was the fault."""
        if self._state.note_failure(error):
            self._tell(error)
        delay = self._backoff.delay_after(error)
        if isinstance(error, MisconfiguredError) and await self._sink.renew():
            return
        await asyncio.sleep(delay)
        await self._sink.renew()

    def _tell(self, error: SinkError) -> None:
        if isinstance(error, MisconfiguredError):
            logger.error("destination %s: misconfigured: %s; retrying", self._name, error)
        elif isinstance(error, UnavailableError):
            logger.warning("destination %s: unreachable: %s; retrying", self._name, error)
        else:
            logger.warning("destination %s: failed: %s; retrying", self._name, error)
