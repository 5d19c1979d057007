"""``peavey serve``: answer the engine."""

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from plugin import __version__
from plugin.api.app import create_app
from plugin.api.follow import MOST_HELD, MOST_READINGS, LogReader
from plugin.api.server import bind, end_on_signals, serve
from plugin.api.status_routes import Observer
from plugin.api.tcp_listener import FurtherAddress
from plugin.commands.console_process import ConsoleProcess
from plugin.commands.local_time import is_known_zone
from plugin.commands.logging_setup import log_to_stdout
from plugin.commands.rlimits import raise_file_limit, within_limit
from plugin.config.files import restrict
from plugin.config.profiles import Profiles
from plugin.config.settings import LOGGING_DIR, Settings, as_variables, load_settings, written_settings
from plugin.config.settings import SETTINGS as ALL_SETTINGS
from plugin.delivery.supervisor import Supervisor
from plugin.intake.admission import Admission
from plugin.intake.disk_quota import DiskBounds
from plugin.intake.profiles_watcher import ProfilesWatcher
from plugin.intake.service import Intake
from plugin.journal.layout import DataFolder
from plugin.memory import share_arenas
from plugin.sinks.registry import schema
from plugin.status.collector import Overview

SUMMARY = "run the log driver: answer the engine, keep what containers print"
DESCRIPTION = """\
Serve the Docker engine's LogDriver protocol on a unix socket, until SIGTERM. Each setting can also be given as an
environment variable; a flag wins. In the managed plugin, set the variables with 'docker plugin set'.
"""
SETTINGS = [setting.name for setting in ALL_SETTINGS]

logger = logging.getLogger("plugin")

_SWITCH_INTERVAL = 0.001


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Add no flags besides those of the settings."""


def run(arguments: argparse.Namespace) -> int:
    """Serve until asked to stop; return the exit status. Raises ``PeaveyError`` if it cannot begin."""
    settings = load_settings(vars(arguments), os.environ, schema())
    log_to_stdout(settings.log_level)
    logger.info("peavey %s starting; settings: %s", __version__, written_settings(vars(arguments), os.environ))
    for warning in settings.warnings:
        logger.warning("%s", warning)
    for warning in _doubts(arguments, settings):
        logger.warning("%s", warning)
    sys.setswitchinterval(_SWITCH_INTERVAL)  # intake's thread must not wait long for one that reads back
    share_arenas()
    raise_file_limit()
    restrict(settings.file_access)
    data = DataFolder(settings.data)
    data.create()
    lock = data.lock()
    end_on_signals()
    further = None if settings.http is None else FurtherAddress(settings.http, settings.http_hosts)
    console = None
    if further is not None:
        further.listen()
        if settings.console:
            console = ConsoleProcess(further, as_variables(vars(arguments)))
    listener = bind(settings.socket)
    with ExitStack() as at_end:  # a signal may come before we serve, too
        at_end.callback(logging.shutdown)
        at_end.callback(logger.info, "peavey %s stopped", __version__)
        at_end.callback(os.close, lock)
        at_end.callback(settings.socket.unlink, missing_ok=True)
        admission = Admission(data, settings.log_opts, schema())
        supervisor = Supervisor(data, settings.delivery_workers, as_variables(vars(arguments)))
        at_end.callback(supervisor.stop)
        bounds = DiskBounds(
            limit=settings.disk_limit,
            free=settings.disk_free,
            keep_stopped=settings.keep_stopped,
            keep_undelivered=settings.keep_undelivered,
        )
        intake = Intake(data, settings.logging_dir, bounds, admission.outline_of, supervisor.need)

        def use(profiles: Profiles) -> None:
            admission.use(profiles)
            if profiles.profiles:
                supervisor.need()
            intake.revisit()

        def asked() -> None:
            supervisor.need()
            intake.revisit(urgent=True)

        watcher = ProfilesWatcher(data, settings.config, settings.log_opts, schema(), use, asked)
        watcher.begin()
        signal.signal(signal.SIGHUP, lambda *_: watcher.reload())
        reader = LogReader(intake, *within_limit(settings.max_followers, MOST_READINGS, MOST_HELD))
        overview = Overview(
            data,
            intake,
            supervisor,
            bounds,
            admission,
            lambda: [watcher.fault, further.fault if further else ""],
        )
        observer = Observer(overview.gather, overview.troubles)
        app = create_app(intake, admission, reader, observer)
        gc.freeze()
        watcher.start()
        supervisor.start_if_needed()
        if console is not None:
            at_end.callback(console.stop)
            console.start()
        serve(app, listener, reader.stop, further if console is None else None)
    return 0


def _doubts(arguments: argparse.Namespace, settings: Settings) -> Iterator[str]:
    """Yield what is hardly meant so."""
    if settings.logging_dir != LOGGING_DIR.kind.parse(LOGGING_DIR.default) and not settings.logging_dir.is_dir():
        yield f"there is no folder {settings.logging_dir} (PEAVEY_LOGGING_DIR): the engine's FIFOs lie in another"
    if settings.timezone and not is_known_zone(settings.timezone):
        yield f"TZ={settings.timezone} is not a time zone that is known here: times are written in UTC"
    written = arguments.log_opts or ""
    known = [schema().find(name.rpartition(".")[2]) for name in settings.log_opts]
    if not written.startswith("@") and written and any(k and k.option.kind.secret and not k.is_file for k in known):
        yield (
            "--log-opts holds a secret, which every user of this host can see in the list of processes:"
            " give it by PEAVEY_LOG_OPTS, or as --log-opts @FILE"
        )
