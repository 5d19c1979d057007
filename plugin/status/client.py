"""Ask a running plugin for its status, on its socket."""

import http.client
import socket
from pathlib import Path

import msgspec

from plugin.errors import PeaveyError
from plugin.status.model import Status

_ANSWER_WITHIN = 30.0


def ask_status(path: Path) -> bytes:
    """Return the plugin's status as JSON. Raises ``PeaveyError`` if the plugin does not answer with one."""
    return ask(path, "/status")[0]


def ask(path: Path, what: str) -> tuple[bytes, str]:
    """Return the answer of the plugin's socket to a GET of a path such as ``/metrics``, and its media type.

    Raises ``PeaveyError`` if the plugin does not answer, or not with status 200.
    """
    connection = _Connection(path)
    try:
        connection.request("GET", what, headers={"Host": "peavey"})
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise PeaveyError(f"{path} does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if response.status == http.client.NOT_FOUND:
        raise PeaveyError(f"{path}: the plugin there has no status; is it an older version of peavey?")
    if response.status != http.client.OK:
        raise PeaveyError(f"{path}: status {response.status}: {content.decode(errors='replace').strip()[:500]}")
    return content, response.headers.get("Content-Type", "")


def read_status(content: bytes) -> Status:
    """Decode a status. Raises ``PeaveyError`` if it is not one that this version knows."""
    try:
        return msgspec.json.decode(content, type=Status)
    except msgspec.DecodeError as error:
        raise PeaveyError(
            f"the plugin's answer cannot be read ({error}); is the plugin another version than this command? "
            "'peavey status --json' prints it as it is"
        ) from error


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ANSWER_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
