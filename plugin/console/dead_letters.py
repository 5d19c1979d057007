"""Dead letters on the page, by the command ``peavey dead``: it has the sinks, which this process does not load."""

import asyncio
import sys
from collections.abc import Mapping

import orjson

from plugin.errors import PeaveyError
from plugin.journal.layout import DataFolder

_MOST = 500
_LARGEST = 8 * 1024 * 1024
_LIST_WITHIN = 30.0
_SEND_WITHIN = 55.0


class DeadLetterBox:
    """The dead letters of all containers; ``environment`` has the settings that the command needs."""

    def __init__(self, data: DataFolder, environment: Mapping[str, str]) -> None:
        self._data = data
        self._environment = environment

    async def list(self) -> bytes:
        """Return the last 500 letters as JSON. Raises ``PeaveyError`` if they cannot be read."""
        output = await self._run(_LIST_WITHIN, "--json")
        lines = output.splitlines()
        kept: list[bytes] = []
        size = 0
        for line in reversed(lines[-_MOST:]):
            size += len(line)
            if size > _LARGEST:
                break
            kept.insert(0, line)
        return b'{"letters":[' + b",".join(kept) + b'],"more":' + orjson.dumps(len(kept) < len(lines)) + b"}"

    async def send_again(self, container_id: object, sink: object) -> Mapping[str, str]:
        """Send the letters of one sink of a container again; returns what the command says of that."""
        if not isinstance(container_id, str) or not isinstance(sink, str) or not container_id or not sink:
            raise PeaveyError("container_id and sink must both be named")
        flags = (f"--container={container_id}", f"--sink={sink}")
        return {"said": (await self._run(_SEND_WITHIN, "--again", *flags)).decode("utf-8", "replace").strip()}

    async def _run(self, seconds: float, *flags: str) -> bytes:
        """Return what the command prints; its status is 1 also if some letters stay dead, which it prints."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "plugin", "dead", "--data", str(self._data.path), *flags),
            env=dict(self._environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            raise PeaveyError(f"'peavey dead' took longer than {seconds:.0f} s; run it on the host") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode and errors.strip():
            raise PeaveyError(errors.decode("utf-8", "replace").strip().removeprefix("peavey: "))
        return output
