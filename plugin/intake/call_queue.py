"""A queue of functions to call in the pump's thread, filled by other threads."""

import os
import select
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

from plugin.errors import StoppedError

P = ParamSpec("P")
T = TypeVar("T")


class CallQueue:
    """A queue of them, whose ``descriptor`` is readable while there are some."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], None], Future[Any]]] = deque()
        self._ended = False
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self.descriptor, select.POLLIN)

    def add(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Queue a function; return the future of its result: ``StoppedError`` after ``end``. For other threads.

        Once asked for it is done, even if nobody waits for it any more: the future cannot be cancelled.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 (it is the caller's, who gets it from the future)
                future.set_exception(error)

        self._waiting.append((run, future))
        os.eventfd_write(self.descriptor, 1)
        if self._ended:
            self._refuse()
        return future

    def run(self) -> None:
        """Do what is wanted, when ``descriptor`` is readable."""
        os.eventfd_read(self.descriptor)
        while self._waiting:
            run, _ = self._waiting.popleft()
            run()

    def wait(self, seconds: float) -> None:
        """Wait for a call, if there is none yet; for the last part of a millisecond in any case: poll(2) knows none."""
        milliseconds, rest = divmod(seconds, 0.001)
        if not self._waiting and not self._poll.poll(milliseconds):
            time.sleep(rest)

    def end(self) -> None:
        """Refuse all that are not done yet, and those that come later."""
        self._ended = True
        self._refuse()

    def _refuse(self) -> None:
        """Answer the calls that came too late; a caller does it too, as it may not have seen that the thread ended."""
        while self._waiting:
            try:
                _, future = self._waiting.popleft()
            except IndexError:  # the other has it
                return
            future.set_exception(StoppedError())
