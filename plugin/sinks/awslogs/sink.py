"""``awslogs``: Amazon CloudWatch Logs, by PutLogEvents.

Reference: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

import orjson

from plugin.sinks.awslogs.answers import (
    ALREADY_ACCEPTED,
    ALREADY_EXISTS,
    INVALID_TOKEN,
    NOT_FOUND,
    ApiError,
    refused_events,
)
from plugin.sinks.awslogs.api import LogsApi
from plugin.sinks.awslogs.encoder import BETWEEN_EVENTS, LogStream, encode_batch, read_batch
from plugin.sinks.awslogs.options import AwslogsOptions, stream_fault
from plugin.sinks.awslogs.progress import Progress
from plugin.sinks.base import MisconfiguredError, Origin, Record, RejectError, RetryError, Sink, SinkError

_LANES = 8
"""How many streams are sent to at once: a host has one for each container, and each needs a request of its own."""
_MOST_TOKENS = 10_000


class AwslogsSink(Sink[LogStream]):
    """Puts events into the streams of a group; acknowledged by the answer, which names those that are refused.

    Of a batch that was taken in part, it remembers what was taken and what was refused: the batch comes again, whole or
    in halves, and only what is left of it is sent.
    """

    declaration = AwslogsOptions

    def __init__(self, options: AwslogsOptions) -> None:
        """Take the options; see `Sink`."""
        self._options = options
        self._api = LogsApi(options)
        self._progress = Progress()
        # Of servers from before 2023, which want each request to name the one before.
        self._tokens: dict[str, str] = {}

    def prepare(self, origin: Origin) -> LogStream:
        """Name the stream; raises `MisconfiguredError` if CloudWatch Logs takes no such name."""
        name = self._options.stream or origin.tag
        if fault := stream_fault(name):
            raise MisconfiguredError(f"log-opt 'tag': {fault}")
        return LogStream(name, origin.info.container_id)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode events, as many requests as limits ask for."""
        return encode_batch(records)

    async def send(self, payload: bytes) -> None:
        """Send the requests of each stream in order, those of several streams at once; returns when all are taken."""
        batch = read_batch(payload)
        queue = deque(self._progress.remaining(batch).items())
        answered: list[tuple[str, bytes, Mapping[int, str]]] = []
        faults: list[SinkError] = []

        async def take_turns(lane: int) -> None:
            while queue:
                stream, requests = queue.popleft()
                try:
                    for request in requests:
                        answered.append((stream, request, await self._put(stream, request, lane)))  # noqa: PERF401
                except SinkError as error:
                    faults.append(error)
                    if not isinstance(error, RejectError | _StreamError):  # others would fare no better
                        queue.clear()

        async with asyncio.TaskGroup() as lanes:
            for lane in range(min(_LANES, len(queue))):
                lanes.create_task(take_turns(lane))
        if faults or any(refused for _, _, refused in answered):
            for request in answered:
                self._progress.note(*request)
        fault = next((fault for kind in _WORST for fault in faults if isinstance(fault, kind)), None)
        if fault is None and (reason := self._progress.refusal(batch)):
            fault = RejectError(f"{self._api.site} refused it: {reason}")
        if fault is None or (batch.records == 1 and isinstance(fault, RejectError)):
            self._progress.forget(batch)  # a dead letter is asked for again if it comes again
        if fault is not None:
            raise fault

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _put(self, stream: str, events: bytes, lane: int) -> Mapping[int, str]:
        """Send one request, and return which of its events were refused, by place, and why."""
        try:
            try:
                answer = await self._put_events(stream, events, lane)
            except ApiError as error:
                if error.code != NOT_FOUND:
                    raise
                await self._create(stream, lane)
                answer = await self._put_again(stream, events, lane)
        except SinkError as error:
            raise self._api.meaning(error, "PutLogEvents") from error
        count = events.count(BETWEEN_EVENTS) + 1
        return {place: run.reason for run in refused_events(answer, count) for place in range(run.start, run.end)}

    async def _put_events(self, stream: str, events: bytes, lane: int) -> Mapping[str, object]:
        try:
            answer = await self._api.call("PutLogEvents", self._body(stream, events), lane)
        except ApiError as error:
            if error.code not in (INVALID_TOKEN, ALREADY_ACCEPTED):
                raise
            self._keep_token(stream, error.sequence_token)
            if error.code == ALREADY_ACCEPTED:
                return {}
            answer = await self._call_with_token(stream, events, lane)
        if stream in self._tokens:
            token = answer.get("nextSequenceToken")
            self._keep_token(stream, token if isinstance(token, str) else None)
        return answer

    async def _call_with_token(self, stream: str, events: bytes, lane: int) -> Mapping[str, object]:
        """Send a request again with the token that the stream wants; another one in between is tried again later."""
        try:
            return await self._api.call("PutLogEvents", self._body(stream, events), lane)
        except ApiError as error:
            if error.code == ALREADY_ACCEPTED:
                return {"nextSequenceToken": error.sequence_token}
            if error.code == INVALID_TOKEN:
                raise RetryError(
                    f"{self._api.site}: somebody else writes to the log stream {stream!r} as well"
                ) from error
            raise

    async def _put_again(self, stream: str, events: bytes, lane: int) -> Mapping[str, object]:
        """Send a request to a stream that was created just now, which may take a moment to be there everywhere."""
        try:
            return await self._put_events(stream, events, lane)
        except ApiError as error:
            if error.code == NOT_FOUND:
                raise RetryError(
                    f"{self._api.site}: the log stream {stream!r} was created, and is not there yet"
                ) from error
            raise

    async def _create(self, stream: str, lane: int) -> None:
        """Create a stream and, where that is asked for, its group; raises `MisconfiguredError` if that may not be."""
        options = self._options
        if not options.create_stream:
            raise _StreamError(
                f"the log stream {stream!r} of the group {options.group!r}, or the group, is not at {self._api.site}"
                f" (create it, or leave awslogs-create-stream at true)"
            )
        names = {"logGroupName": options.group, "logStreamName": stream}
        if await self._is_created("CreateLogStream", names, lane):
            return
        if not options.create_group:
            raise MisconfiguredError(
                f"the log group {options.group!r} is not at {self._api.site}"
                " (create it, or give awslogs-create-group=true)"
            )
        await self._is_created("CreateLogGroup", {"logGroupName": options.group}, lane)
        if not await self._is_created("CreateLogStream", names, lane):
            raise RetryError(f"{self._api.site}: the log group {options.group!r} is created, but not there yet")

    async def _is_created(self, action: str, names: Mapping[str, str], lane: int) -> bool:
        """Return whether something is there now; False if what it is to be in is not."""
        try:
            await self._api.call(action, orjson.dumps(names), lane)
        except SinkError as error:
            code = error.code if isinstance(error, ApiError) else ""
            if code == NOT_FOUND and action == "CreateLogStream":
                return False
            if code != ALREADY_EXISTS:
                raise self._api.meaning(error, action) from error
        return True

    def _body(self, stream: str, events: bytes) -> bytes:
        members = {"logGroupName": self._options.group, "logStreamName": stream}
        if token := self._tokens.get(stream):
            members["sequenceToken"] = token
        return b'%b,"logEvents":[%b]}' % (orjson.dumps(members)[:-1], events)

    def _keep_token(self, stream: str, token: str | None) -> None:
        if token is None:
            self._tokens.pop(stream, None)
            return
        if len(self._tokens) >= _MOST_TOKENS:
            self._tokens.clear()
        self._tokens[stream] = token


class _StreamError(MisconfiguredError):
    """One stream is not there; others may be."""


_WORST: tuple[type[SinkError], ...] = (MisconfiguredError, RetryError, SinkError)

SINK = AwslogsSink
