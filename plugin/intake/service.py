"""Intake for the rest of the program: attach, detach, collect, and subscribe to changes."""

import logging
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from plugin.config.options import ContainerOptions
from plugin.docker.info import Info, short_id
from plugin.errors import JournalError, PeaveyError, RequestError
from plugin.intake.attachments import Attachment, Attachments
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.disk_reserve import Reserve
from plugin.intake.housekeeper import Housekeeper
from plugin.intake.pump import Pump
from plugin.intake.stream import ContainerSnapshot, Dropped, Received, Stream
from plugin.journal.change_counters import GrowthTeller
from plugin.journal.cursors.placement import make_first_cursors
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import read_metadata
from plugin.journal.retention import segment_size

logger = logging.getLogger(__name__)

_STOP_WITHIN = 5.0
_ATTACH_RETRY = 5.0
_ANSWER_WITHIN = 5.0
_FILE_NAME = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,199}")


class Intake:
    """The pump, the housekeeper and the attachments of one data folder.

    Methods that work in the pump's thread return a future.

    ``logging_dir`` is the only folder in which FIFOs may lie; ``options_of`` returns the options of a container whose
    options were accepted before; ``need_delivery`` is called when a container has a sink. Methods may be called from
    any thread.
    """

    def __init__(
        self,
        data: DataFolder,
        logging_dir: Path,
        bounds: DiskBounds,
        options_of: Callable[[Info], ContainerOptions],
        need_delivery: Callable[[], None] = lambda: None,
    ) -> None:
        self._need_delivery = need_delivery
        self.data = data
        self._logging_dir = logging_dir
        self._options_of = options_of
        reserve = Reserve(data.path / "reserve")
        self._attachments = Attachments(data.streams, reserve)
        self._growth = GrowthTeller(data)
        self._pump = Pump(data, self._changed, self._rotated)
        self._housekeeper = Housekeeper(data, self._pump, bounds, options_of, reserve.replenish)
        self._beginning: set[str] = set()
        self._waiting: set[str] = set()
        self._followers: dict[str, list[Callable[[], None]]] = {}
        self._followers_lock = threading.Lock()

    def start(self) -> None:
        """Start the threads and attach again to every FIFO that an earlier process had."""
        self._pump.start()
        self._pump.call(self._attach_again)
        self._housekeeper.start()

    def stop(self) -> None:
        """Take what is in the pipes and end the threads; the FIFOs stay ours, for the next process."""
        self._housekeeper.stop()
        self._housekeeper.join(_STOP_WITHIN)  # first, since it may be waiting for an answer of the pump
        self._pump.call(self._pump.stop)
        self._pump.join(_STOP_WITHIN)

    def attach(self, file: str, info: Info, options: ContainerOptions) -> None:
        """Begin a stream: note it durably, open the FIFO, hand it to the pump. A repeated call changes nothing.

        On a full disk the reserve takes the note; without one it is noted when there is room again. Raises
        ``RequestError`` if the file is not a FIFO of the logging folder.
        """
        self.check_fifo(file)
        attachment = Attachment(file=file, info=info, started=time.time_ns())
        logger.debug("StartLogging: %s", _told(attachment))
        self._beginning.add(attachment.name)
        try:
            self._begin(attachment, options)
        finally:
            self._beginning.discard(attachment.name)
        if options.sinks:
            self._need_delivery()

    def _begin(self, attachment: Attachment, options: ContainerOptions) -> None:
        file, info = attachment.file, attachment.info
        saved = True
        try:
            self._attachments.save(attachment)
        except OSError as error:
            saved = False
            logger.error(  # noqa: TRY400 (the disk's fault, not a bug)
                "%s: cannot save the attachment; a kill of the plugin now would lose the stream: %s",
                _told(attachment),
                error,
            )
        try:
            descriptor = _open_fifo(file)
        except OSError as error:
            self._attachments.remove(attachment.name)
            raise RequestError(f"File {file} cannot be opened: {error.strerror}") from error
        self._create_cursors(info, options)
        attach = self._pump.call(
            self._pump.attach, attachment, segment_size(options.max_size), descriptor, options.sinks, saved=saved
        )
        attach.result()

    def _create_cursors(self, info: Info, options: ContainerOptions) -> None:
        """Write the first cursor of each sink that is new to a container, so that the pump seldom has to.

        The pump sees to it that they are there: they may be refused, or go with a journal that ages out right now.
        """
        try:
            make_first_cursors(self.data.container(info.container_id), options.sinks)
        except OSError as error:
            logger.debug("container %s: cannot write first cursors yet: %s", info.label, error)

    def is_attached(self, file: str, info: Info) -> bool:
        """Return whether a stream was begun already: the engine repeats a request whose answer it did not get.

        Raises ``RequestError`` if the FIFO is another container's.
        """
        attachment = self._attachments.find(Path(file).name)
        if attachment is None or attachment.file != file:
            return False
        if attachment.info.container_id != info.container_id:
            raise RequestError(f"File {file} is the stream of another container, {attachment.info.id}")
        return True

    def check_fifo(self, file: str) -> None:
        """Raise ``RequestError`` unless a path names a FIFO directly in the logging folder."""
        path = Path(file)
        if _FILE_NAME.fullmatch(path.name) is None or file != f"{self._logging_dir}/{path.name}":
            raise RequestError(f"File {file[:200]!r} does not name a FIFO in the logging folder {self._logging_dir}")
        try:
            mode = os.lstat(path).st_mode
        except OSError as error:
            raise RequestError(f"File {file} cannot be used: {error.strerror}") from error
        if not stat.S_ISFIFO(mode):
            raise RequestError(f"File {file} is not a FIFO")

    def detach(self, file: str) -> Future[bool]:
        """End a stream after its last byte is in the journal; false if there is no such stream."""
        return self._pump.call(self._pump.detach, Path(file).name)

    def drain(self) -> Future[None]:
        """Take what all FIFOs hold now."""
        return self._pump.call(self._pump.drain)

    def collect(self, container_id: str) -> Future[list[Stream]]:
        """Take what a container's FIFOs hold now; return its streams, ``closed`` once they have ended."""
        return self._pump.call(self._pump.collect, container_id)

    def snapshot(self) -> tuple[list[ContainerSnapshot], dict[str, Dropped]]:
        """Return how the containers with streams are now, and what was dropped of those without, by id.

        Raises ``StoppedError`` if the pump has ended, ``TimeoutError`` if it does not answer.
        """
        return self._pump.call(self._pump.snapshot).result(_ANSWER_WITHIN)

    def received(self) -> Received:
        """Return what came in since the plugin's start. Raises as ``snapshot`` does."""
        return self._pump.call(self._pump.received).result(_ANSWER_WITHIN)

    def remove_refused(self, file: str) -> None:
        """Remove the FIFO of a StartLogging that is refused: the engine leaves it behind. It must have been checked."""
        Path(file).unlink(missing_ok=True)

    def revisit(self, *, urgent: bool = False) -> None:
        """Look at all journals again soon: what their containers' options say may have changed."""
        self._housekeeper.note_changes(urgent=urgent)

    @property
    def given_up_bytes(self) -> int:
        """How much was given up of stopped containers, since the plugin's start, as no destination took it in time."""
        return self._housekeeper.given_up_bytes

    def subscribe(self, container_id: str, callback: Callable[[], None]) -> None:
        """Call a function, in the pump's thread, whenever a container's journal grows or a stream of it ends."""
        with self._followers_lock:
            self._followers.setdefault(container_id, []).append(callback)

    def unsubscribe(self, container_id: str, callback: Callable[[], None]) -> None:
        """Undo ``subscribe``."""
        with self._followers_lock:
            callbacks = self._followers[container_id]
            callbacks.remove(callback)
            if not callbacks:
                del self._followers[container_id]

    def _changed(self, container_id: str) -> None:
        self._growth.tell(container_id)
        self._housekeeper.note_change(container_id)
        if container_id in self._followers:
            with self._followers_lock:
                callbacks = list(self._followers.get(container_id, ()))
            for callback in callbacks:
                callback()

    def _rotated(self, container_id: str) -> None:
        self._housekeeper.note_rotation(container_id)

    def _attach_again(self) -> None:
        """Take up every stream that is noted; called in the pump's thread, first before any other call.

        What cannot be attached for now is tried again until it can be. Streams that begin meanwhile are left alone: the
        engine may not have opened its end yet, which a probe would take for its death.
        """
        try:
            complete = self._try_to_attach_again()
        except Exception:
            logger.exception("attaching to streams again failed; retrying")
            complete = False
        if not complete:
            retry = threading.Timer(_ATTACH_RETRY, self._pump.call, [self._attach_again])
            retry.daemon = True
            retry.start()

    def _try_to_attach_again(self) -> bool:
        """Attach to all streams that are noted and not attached yet; false if something has to be tried again.

        All are attached before any is probed, and the newest probed first: a frame that is incomplete at a journal's
        end is completed by the stream that wrote last, which must be known by then.
        """
        scan = self._attachments.scan()
        complete = not scan.unreadable
        found = list(scan.found)
        for name in scan.damaged:
            rebuilt = self._rebuild(name)
            if rebuilt is not None:
                found.append(rebuilt)
        attached = []
        for attachment in found:
            if attachment.name in self._beginning or self._pump.has_stream(attachment.name):
                continue
            try:
                if self._attach_one_again(attachment):
                    attached.append(attachment.name)
            except (OSError, PeaveyError) as error:
                level = logging.DEBUG if attachment.name in self._waiting else logging.WARNING
                logger.log(level, "%s: cannot attach again yet; retrying: %s", _told(attachment), error)
                self._waiting.add(attachment.name)
                complete = False
            except Exception:
                logger.exception("%s: cannot attach again yet; retrying", _told(attachment))
                complete = False
        for name in reversed(attached):
            self._pump.probe(name)
        return complete

    def _attach_one_again(self, attachment: Attachment) -> bool:
        """Attach to a stream that is noted; one whose FIFO is gone has ended: false. Raises ``OSError``."""
        info = attachment.info
        try:
            is_fifo = stat.S_ISFIFO(os.lstat(attachment.file).st_mode)
            if is_fifo:
                self.check_fifo(attachment.file)
        except (RequestError, FileNotFoundError, NotADirectoryError):
            is_fifo = False
        if not is_fifo:
            logger.info("%s: not attached again: the FIFO is gone", _told(attachment))
            self._pump.note_orphan(attachment)
            self._attachments.remove(attachment.name)
            return False
        options = self._options_of(info)
        descriptor = _open_fifo(attachment.file)
        attached = self._pump.attach(attachment, segment_size(options.max_size), descriptor, options.sinks)
        logger.info("%s: attached again", _told(attachment))
        if options.sinks:
            self._need_delivery()
        return attached

    def _rebuild(self, name: str) -> Attachment | None:
        """Rebuild a damaged attachment from the journal whose info.json names its FIFO, if there is one."""
        for container_id in self.data.container_ids():
            try:
                metadata = read_metadata(self.data.container(container_id))
            except JournalError as error:
                logger.debug("container %s: %s", short_id(container_id), error)
                continue
            if metadata is not None and metadata.stream == name:
                attachment = Attachment(
                    file=f"{self._logging_dir}/{name}", info=metadata.info, started=metadata.last_seen
                )
                logger.warning("%s: attachment damaged; restored from info.json", _told(attachment))
                try:
                    self._attachments.save(attachment)
                except OSError as error:
                    logger.warning("%s: cannot save the attachment: %s", _told(attachment), error)
                return attachment
        logger.error("stream %s: lost: the attachment is damaged, and no journal names it", name)
        self._attachments.set_aside(name)
        return None


def _told(attachment: Attachment) -> str:
    """Return the stream and its container, for the log."""
    return f"container {attachment.info.label}: stream {attachment.name}"


def _open_fifo(file: str) -> int:
    """Open a FIFO for reading only: read-write would hide the end of the engine."""
    return os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
