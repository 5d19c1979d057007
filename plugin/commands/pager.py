"""A screen that is refreshed, scrolls and takes keys: what ``peavey status --watch`` is on a terminal."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

_HELP = "q quits, arrows and space scroll"
_UP, _DOWN = (b"k", b"\x1b[A", b"\x1bOA"), (b"j", b"\x1b[B", b"\x1bOB", b"\r", b"\n")
_PAGE_UP, _PAGE_DOWN = (b"b", b"\x1b[5~"), (b" ", b"f", b"\x1b[6~")
_TOP, _BOTTOM = (b"g", b"\x1b[H", b"\x1b[1~"), (b"G", b"\x1b[F", b"\x1b[4~")
_QUIT = (b"q", b"Q", b"\x03", b"\x04", b"\x1b")


class Scroller:
    """Which lines of many are seen, of which ``height`` fit."""

    def __init__(self) -> None:
        self.top = 0

    def press(self, key: bytes, count: int, height: int) -> bool:
        """Take a key; false if it ends it all. ``count`` is how many lines there are."""
        if key in _QUIT:
            return False
        steps = {_UP: -1, _DOWN: 1, _PAGE_UP: -height, _PAGE_DOWN: height, _TOP: -count, _BOTTOM: count}
        self.top += next((step for keys, step in steps.items() if key in keys), 0)
        self._bound(count, height)
        return True

    def seen(self, lines: Sequence[Text], height: int) -> list[Text]:
        """Return the lines that are seen, and, where that is not all, one that says which."""
        self._bound(len(lines), height)
        if len(lines) <= height:
            return list(lines)
        last = self.top + height - 1
        shown = [*lines[self.top : last]]
        return [*shown, Text(f"lines {self.top + 1}-{last} of {len(lines)}; {_HELP}", "reverse")]

    def _bound(self, count: int, height: int) -> None:
        self.top = max(0, min(self.top, count - height + 1)) if count > height else 0


def watch(console: Console, lines: Callable[[], Sequence[Text]], interval: float) -> None:
    """Show lines on the whole screen, made again every ``interval`` seconds, until q is pressed."""
    scroller = Scroller()
    with _keys() as read_key, console.screen(hide_cursor=True):
        while True:
            made = lines()
            until = time.monotonic() + interval
            while (left := until - time.monotonic()) > 0:
                height = max(2, console.height)
                _draw(console, scroller.seen(made, height), height)
                key = read_key(left)
                if key and not scroller.press(key, len(made), height):
                    return


def _draw(console: Console, lines: Sequence[Text], height: int) -> None:
    console.control()
    sys.stdout.write("\x1b[H")
    for number in range(height):
        console.print(lines[number] if number < len(lines) else Text(), no_wrap=True, crop=True, end="")
        sys.stdout.write("\x1b[K" + ("\r\n" if number < height - 1 else ""))
    sys.stdout.flush()


@contextmanager
def _keys() -> Iterator[Callable[[float], bytes]]:
    """Take keys one by one, without their being shown; without a terminal to read from there are none."""
    if not sys.stdin.isatty():
        yield _no_keys
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def read(seconds: float) -> bytes:
        if select.select([descriptor], [], [], seconds)[0]:
            return os.read(descriptor, 16) or b"q"
        return b""

    tty.setcbreak(descriptor)
    try:
        yield read
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _no_keys(seconds: float) -> bytes:
    time.sleep(seconds)
    return b""
