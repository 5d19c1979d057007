"""Set up the log of the plugin's processes: one line a record on stdout, which the engine puts into its own log."""

import logging
import sys


def log_to_stdout(level: str) -> None:
    """Log from ``level`` on (``debug``, ``info``, …); the engine puts time and plugin id in front."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))


class _OneLine(logging.Formatter):
    """A formatter that keeps a record on one line, stack traces included."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", " | ")
