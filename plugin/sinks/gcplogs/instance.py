"""The instance of Compute Engine that this is, and the tokens of its service account, asked of its metadata server.

Source: https://cloud.google.com/compute/docs/metadata/querying-metadata.
"""

from dataclasses import dataclass

from plugin.sinks.base import MisconfiguredError, RejectError, RetryError
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.settings import HttpSettings

_PATH = "/computeMetadata/v1/"
TOKEN = "instance/service-accounts/default/token"  # noqa: S105 (a path)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where entries come from; what is not known is empty."""

    zone: str = ""
    name: str = ""
    id: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anything of it is."""
        return bool(self.zone or self.name or self.id)


class MetadataServer:
    """What an instance knows of itself."""

    def __init__(self, settings: HttpSettings) -> None:
        self._site = settings.url.site
        self._target = settings.url.target
        self._client = HttpClient(settings)

    async def read(self, path: str) -> bytes:
        """Return a value.

        Raises `RetryError`, and `MisconfiguredError` where the server does not have it.
        """
        try:
            return await self._client.send(b"", url=self._target.with_path(_PATH + path), method="GET")
        except RejectError as error:
            raise MisconfiguredError(str(error)) from error

    async def project(self) -> str:
        """Return the id of the instance's project."""
        return (await self.read("project/project-id")).decode().strip()

    async def machine(self) -> Machine:
        """Return what it says of the machine."""
        zone = (await self.read("instance/zone")).decode().strip().rpartition("/")[2]
        name = (await self.read("instance/name")).decode().strip()
        return Machine(zone, name, (await self.read("instance/id")).decode().strip())

    async def is_there(self) -> bool:
        """Return whether this is an instance at all."""
        try:
            await self.read("instance/id")
        except (RetryError, MisconfiguredError):
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
