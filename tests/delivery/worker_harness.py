"""A data folder made by hand, and a worker in one process with the test."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from plugin.config.options import SinkChoice, validate
from plugin.delivery.timing import Timing
from plugin.delivery.worker import MakeStages, Worker
from plugin.docker.info import Info
from plugin.journal.cursors.store import Cursor, cursor_path, write_cursor
from plugin.journal.layout import DataFolder
from plugin.journal.metadata import write_metadata
from plugin.sinks.registry import schema
from plugin.transforms.base import Transform
from plugin.transforms.chain import make_stages
from tests.delivery.conftest import Journal

QUICK = {"batch-wait": "10ms", "retry-min": "10ms", "retry-max": "50ms"}


class WorkerHarness:
    """One container in a data folder, with these log-opts; others can share the folder."""

    def __init__(self, data: Path | DataFolder, options: Mapping[str, str], container: str = "8c1f" * 16) -> None:
        self.data = data if isinstance(data, DataFolder) else DataFolder(data / "data")
        self.data.create()
        self.container = container
        self.options = QUICK | dict(options)
        self.birth = 0
        self.journal = self.begin()

    def begin(self) -> Journal:
        """Begin the container's journal, as intake does."""
        self.journal = Journal(self.data.container(self.container))
        self.birth = time.time_ns()
        self.touch()
        return self.journal

    def touch(self, *, ended: bool = False) -> None:
        """Note that the container writes, or has ended, as intake does, and the sinks that its log-opts name by now."""
        info = Info(container_id=self.container, container_name=f"/{self.container[:8]}", config=self.options)
        for choice in validate(self.options, schema=schema()).sinks:
            if not cursor_path(self.journal.folder, choice.instance).exists():
                offset = self.journal.writer.offset
                write_cursor(self.journal.folder, choice.instance, Cursor(offset=offset, resume=offset))
        write_metadata(self.journal.folder, info, "stream", self.birth, ended=ended)


def usual_stages(choice: SinkChoice, info: Info) -> Sequence[Transform]:
    """Make the stages that log-opts ask for."""
    return make_stages(choice.transforms, info)


@asynccontextmanager
async def working(
    data: DataFolder,
    defaults: Mapping[str, str] | None = None,
    timing: Timing | None = None,
    stages: MakeStages = usual_stages,
) -> AsyncIterator[Worker]:
    """Have a worker work meanwhile."""
    stop = asyncio.Event()
    worker = Worker(data, defaults or {}, 0, 1, stages, timing)
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so, two minutes at most."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 (nothing else tells)
            await asyncio.sleep(0.01)
