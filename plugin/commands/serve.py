"""``peavey serve``: answer the engine."""

import argparse
import gc
import logging
import os
import sys

from plugin import __version__
from plugin.api.app import create_app
from plugin.api.follow import LogReader
from plugin.api.server import bind, end_on_signals, raise_file_limit, serve
from plugin.intake.admission import Admission
from plugin.intake.housekeeper import DiskBounds
from plugin.intake.service import Intake
from plugin.journal.folder import DataFolder
from plugin.settings import SETTINGS as ALL_SETTINGS
from plugin.settings import load_settings

SUMMARY = "answer the engine on a unix socket, keep what containers print"
DESCRIPTION = """\
Serve the Docker engine's LogDriver protocol on a unix socket, until SIGTERM. Each setting can also be given as an
environment variable; a flag wins. In the managed plugin, set the variables with 'docker plugin set'.
"""
SETTINGS = [setting.name for setting in ALL_SETTINGS]

logger = logging.getLogger("plugin")

_SWITCH_INTERVAL = 0.001


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Add flags besides those of the settings: there are none."""


def run(arguments: argparse.Namespace) -> int:
    """Serve; returns when asked to stop. Raises ``PeaveyError`` if it cannot begin."""
    settings = load_settings(vars(arguments), os.environ)
    _log_to_stdout(settings.log_level)
    for warning in settings.warnings:
        logger.warning("%s", warning)
    sys.setswitchinterval(_SWITCH_INTERVAL)  # intake's thread must not wait long for one that reads back
    raise_file_limit()
    data = DataFolder(settings.data)
    data.create()
    lock = data.lock()
    end_on_signals()
    listener = bind(settings.socket)
    admission = Admission(data, settings.log_opts)
    bounds = DiskBounds(limit=settings.disk_limit, free=settings.disk_free, keep_stopped=settings.keep_stopped)
    intake = Intake(data, settings.logging_dir, bounds, admission.options_of)
    reader = LogReader(intake, settings.max_followers)
    app = create_app(intake, admission, reader)
    gc.freeze()
    logger.info("peavey %s serves %s, journals in %s", __version__, settings.socket, settings.data)
    try:
        serve(app, listener, reader.stop)
    finally:
        os.close(lock)
        logger.info("peavey has stopped")
    return 0


def _log_to_stdout(level: str) -> None:
    """Log one line each to stdout: the engine puts them into its own log, with time and plugin id in front."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))


class _OneLine(logging.Formatter):
    """Keeps a record on one line, stack traces included."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", " | ")
