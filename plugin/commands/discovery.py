"""Find the plugin on this host: its socket, or its data folder, if neither is named.

A managed plugin has both below the engine's folders, under its own id, where only root may look.
"""

import argparse
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from plugin.config.settings import DATA, SOCKET, Setting, load_settings
from plugin.errors import SettingError

PLUGINS_RUNNING = Path("/run/docker/plugins")
PLUGINS_INSTALLED = Path("/var/lib/docker/plugins")

_PLUGIN_ID = re.compile(r"[0-9a-f]{64}")
_PROBE_WITHIN = 5.0


def find_socket(arguments: argparse.Namespace, environ: Mapping[str, str], running: Path = PLUGINS_RUNNING) -> Path:
    """Find the socket of a plugin that runs: the one that is named, else the only one at the usual places.

    Raises ``SettingError`` if there is none, or more than one.
    """
    named = load_settings(vars(arguments), environ, names=[SOCKET.name]).socket
    if _is_given(SOCKET, arguments, environ):
        candidates = [named]
    else:
        candidates = [named, *(folder / "peavey.sock" for folder in _by_plugin_id(running))]
    faults = {path: _probe(path) for path in candidates}
    found = [path for path, fault in faults.items() if not fault]
    if len(found) == 1:
        return found[0]
    if found:
        listed = "\n  ".join(map(str, found))
        raise SettingError(f"{len(found)} plugins run here; choose one with --socket:\n  {listed}")
    looked = "\n  ".join(f"{path}: {fault}" for path, fault in faults.items())
    if not _is_given(SOCKET, arguments, environ) and len(candidates) == 1:
        looked += f"\n  {running}/<id of a managed plugin>/peavey.sock: {_why_none(running)}"
    raise SettingError(f"no peavey answers on this host; looked for\n  {looked}\n(--socket names another socket)")


def find_data(arguments: argparse.Namespace, environ: Mapping[str, str], installed: Path = PLUGINS_INSTALLED) -> Path:
    """Find the data folder: the one that is named, else the usual one if it is there, else the only managed plugin's.

    Raises ``SettingError`` if there is none, or more than one.
    """
    named = load_settings(vars(arguments), environ, names=[DATA.name]).data
    if named.is_dir():
        return named
    if _is_given(DATA, arguments, environ):
        raise SettingError(f"there is no data folder {named}")
    managed = [folder / "propagated-mount" / "peavey" for folder in _by_plugin_id(installed)]
    found = [path for path in managed if path.is_dir()]
    if len(found) == 1:
        return found[0]
    if found:
        listed = "\n  ".join(map(str, found))
        raise SettingError(f"{len(found)} plugins have data here; choose one with --data:\n  {listed}")
    raise SettingError(
        f"no data folder on this host; looked for\n  {named}: no such folder\n"
        f"  {installed}/<id of a managed plugin>/propagated-mount/peavey: {_why_none(installed)}\n"
        "(--data names another folder)"
    )


def _is_given(setting: Setting[Path], arguments: argparse.Namespace, environ: Mapping[str, str]) -> bool:
    return vars(arguments).get(setting.name) is not None or bool(environ.get(setting.variable))


def _by_plugin_id(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if _PLUGIN_ID.fullmatch(path.name))
    except OSError:
        return []


def _why_none(folder: Path) -> str:
    """Return why nothing was found for managed plugins below a folder."""
    try:
        next(folder.iterdir(), None)
    except PermissionError:
        return "only root may look there"
    except OSError as error:
        return f"{folder}: {error.strerror}"
    return "none"


def _probe(path: Path) -> str:
    """Try to connect; returns why that is not possible, nothing if it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_WITHIN)
        try:
            probe.connect(str(path))
        except PermissionError:
            return "only root may connect"
        except ConnectionRefusedError:
            return "nothing listens on it"
        except OSError as error:
            return error.strerror or str(error)
    return ""
