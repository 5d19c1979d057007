"""``peavey deliver``: take journals to their destinations."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from plugin.commands.logging_setup import log_to_stdout
from plugin.commands.rlimits import delivery_limits, look_up_threads, raise_file_limit
from plugin.config.files import restrict
from plugin.config.options import SinkChoice
from plugin.config.settings import load_settings
from plugin.delivery.descriptors import Limits
from plugin.delivery.sharding import Share, claimed, parse_share
from plugin.delivery.worker import Worker
from plugin.docker.info import Info
from plugin.errors import SettingError
from plugin.journal.layout import DataFolder
from plugin.memory import keep_memory, share_arenas
from plugin.sinks.registry import schema
from plugin.transforms.base import Transform
from plugin.transforms.chain import make_stages

SUMMARY = "take journals to their destinations (started by 'serve')"
DESCRIPTION = """\
Deliver what is in the journals of a data folder to the sinks that the containers' log-opts name, until SIGTERM.
'peavey serve' starts it. By hand, it delivers one share, or what is left after the plugin was removed.
"""
SETTINGS = ["data", "logging_dir", "log_opts", "file_roots", "log_level"]

logger = logging.getLogger("plugin")

_NICE = 15
_COLLECT_AFTER = 50_000  # objects: a batch is tens of thousands of records, among which there are no cycles
_THREADS = 64
_PREDECESSOR_ENDS_WITHIN = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("--share", default="0/1", metavar="K/N", help="which share of the containers, from 0/N on")
    parser.add_argument(
        "--supervised",
        action="store_true",
        help="end when stdin closes, whose other end the supervisor holds, and wait for a predecessor to end",
    )


def run(arguments: argparse.Namespace) -> int:
    """Deliver. Raises ``PeaveyError`` if another process delivers this share, or an argument is invalid."""
    settings = load_settings(vars(arguments), os.environ, schema(), SETTINGS)
    log_to_stdout(settings.log_level)
    share_arenas()
    raise_file_limit()
    restrict(settings.file_access)
    share = parse_share(arguments.share)
    data = DataFolder(settings.data)
    if arguments.supervised:
        data.create()
    elif not data.path.is_dir():
        raise SettingError(f"there is no data folder {data.path} (--data names another)")
    os.nice(_NICE)
    with claimed(data, share, _PREDECESSOR_ENDS_WITHIN if arguments.supervised else 0):
        limits = Limits(*delivery_limits())
        worker = Worker(data, settings.log_opts, share.number, share.count, _make_stages, limits=limits)
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        keep_memory()
        logger.info("delivery %s: started", share)
        asyncio.run(_deliver(worker, share, supervised=arguments.supervised))
    return 0


def _make_stages(choice: SinkChoice, info: Info) -> Sequence[Transform]:
    return make_stages(choice.transforms, info, choice.options.read_stages())


async def _deliver(worker: Worker, share: Share, *, supervised: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A hanging name server must not hold up others.
    loop.set_default_executor(ThreadPoolExecutor(look_up_threads(_THREADS), "look-up"))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is for the main process, whose profiles come by way of the disk
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervised:
        loop.add_reader(sys.stdin.fileno(), _end_with_stdin, loop, stop)
    await worker.run(stop)
    logger.info("delivery %s: stopped", share)
    # Only the end of the process ends threads with look-ups and writes that hang. Everything is saved by now.
    logging.shutdown()
    os._exit(os.EX_OK)


def _end_with_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when the process that started us is gone: its successor starts workers of its own."""
    loop.remove_reader(sys.stdin.fileno())
    stop.set()
