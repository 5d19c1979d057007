"""``peavey deliver``: take journals to their destinations."""

import argparse
import asyncio
import fcntl
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from plugin.commands.logging_setup import log_to_stdout
from plugin.delivery.worker import Worker
from plugin.errors import JournalError, SettingError
from plugin.journal.folder import DataFolder
from plugin.settings import load_settings
from plugin.sinks.registry import schema

SUMMARY = "take journals to their destinations (started by 'serve')"
DESCRIPTION = """\
Deliver what is in the journals of a data folder to the sinks that the containers' log-opts name, until SIGTERM.
'peavey serve' starts it; by hand it serves to look into one share, or to deliver what is left after the plugin is gone.
"""
SETTINGS = ["data", "log_opts", "log_level"]

logger = logging.getLogger("plugin")

_NICE = 15
_THREADS = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("--share", default="0/1", metavar="K/N", help="which share of the containers, from 0/N on")


def run(arguments: argparse.Namespace) -> int:
    """Deliver. Raises ``PeaveyError`` if another process delivers this share, or an argument makes no sense."""
    settings = load_settings(vars(arguments), os.environ, schema(), SETTINGS)
    log_to_stdout(settings.log_level)
    share, shares = _share(arguments.share)
    data = DataFolder(settings.data)
    data.create()
    lock = _lock(data, share)
    os.nice(_NICE)
    try:
        asyncio.run(_deliver(Worker(data, settings.log_opts, share, shares)))
    finally:
        os.close(lock)
    return 0


async def _deliver(worker: Worker) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, "look-up"))  # a hanging name server must not hold up others
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = os.getppid()
    watch = asyncio.create_task(_end_with_parent(parent, stop))
    await worker.run(stop)
    watch.cancel()


async def _end_with_parent(parent: int, stop: asyncio.Event) -> None:
    """Stop when the process that started us is gone: its successor starts workers of its own."""
    while os.getppid() == parent:  # noqa: ASYNC110 (nothing tells of a parent's end but this)
        await asyncio.sleep(1)
    stop.set()


def _share(text: str) -> tuple[int, int]:
    share, _, shares = text.partition("/")
    if not (share.isdecimal() and shares.isdecimal() and int(share) < int(shares)):
        raise SettingError(f"--share: '{text}' is no share (examples: 0/1, or 0/2 and 1/2)")
    return int(share), int(shares)


def _lock(data: DataFolder, share: int) -> int:
    descriptor = os.open(data.path / f"deliver-{share}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(f"another process delivers share {share} of {data.path}") from error
    return descriptor
