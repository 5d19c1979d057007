"""Publishing so that each line is in the stream once: each message says which one its subject must end with.

A subject has one message under way at a time, with the header ``Nats-Expected-Last-Subject-Sequence``: the server
refuses it if the one before is not there, or if it is there itself, however late it comes. Whoever does not know where
a subject ends asks for its last message, whose headers say which records it holds.

Source: https://docs.nats.io/nats-concepts/jetstream/headers and
https://github.com/nats-io/nats-architecture-and-design (ADR-1, JetStream JSON API).
"""

import asyncio
import base64
import json
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import nats.errors

from plugin.config.parsing import printable
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, TooLargeError, UnavailableError
from plugin.sinks.nats.connection import NatsConnection, NoRespondersError
from plugin.sinks.nats.encoder import Message, messages, without_first

_ATTEMPTS = 4
_LONGEST = 200
_AT_ONCE = 64
_NO_MESSAGE, _STREAM_NOT_FOUND, _WRONG_SEQUENCE, _NAME_IN_USE, _TOO_LARGE = 10_037, 10_059, 10_071, 10_058, 10_054
_NOT_EXPECTED_STREAM, _NOT_ENABLED, _NOT_ENABLED_FOR_ACCOUNT, _SUBJECTS_OVERLAP = 10_060, 10_076, 10_039, 10_065
_LASTING = {
    _NOT_EXPECTED_STREAM: "another stream than nats-stream takes the subject",
    _NOT_ENABLED: "JetStream is not enabled there",
    _NOT_ENABLED_FOR_ACCOUNT: "JetStream is not enabled for the account",
    _NAME_IN_USE: "there is a stream of this name which does not take the subject: see nats-stream, nats-subject",
    _SUBJECTS_OVERLAP: "another stream takes some of these subjects: see nats-subject",
    10_026: "the account may keep no more messages",
    10_028: "the account's storage is full",
}
_API = "$JS.API."


@dataclass(frozen=True, slots=True)
class NewStream:
    """A stream that is made where there is none."""

    name: str
    subjects: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Done:
    """The last record of a container that is in the stream: where it ends, and all offsets of those that end there."""

    end: int
    offsets: frozenset[int]

    def count(self, places: "array[int]") -> int:
        """Count the records at the beginning of a message that are there already; ``places`` as of `Message`."""
        number = 0
        while number < len(places):
            end, offset = places[number], places[number + 1]
            if end > self.end or (end == self.end and offset not in self.offsets):
                break
            number += 2
        return number // 2


class ApiError(Exception):
    """An error that JetStream answered with."""

    def __init__(self, error: Any) -> None:
        known = error if isinstance(error, dict) else {}
        super().__init__(printable(str(known.get("description", error))[:_LONGEST]))
        self.code = _integer(known.get("err_code"))
        self.status = _integer(known.get("code"))


class Publisher:
    """Publishes messages, subject by subject in order, and several subjects at once.

    ``stream`` is the one that must take them, empty for any; ``new`` the one that is made where there is none.
    """

    def __init__(self, connection: NatsConnection, stream: str, new: NewStream | None) -> None:
        self._connection = connection
        self._stream = stream
        self._new = new
        self._sequences: dict[str, int] = {}
        self._done: dict[str, Done] = {}
        self._shared: set[str] = set()
        self._streams: dict[str, str] = {}
        self._making = asyncio.Lock()
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def send(self, payload: bytes) -> None:
        """Publish all messages of a payload; returns when all are acknowledged."""
        by_subject: dict[str, list[Message]] = {}
        for message in messages(payload):
            by_subject.setdefault(message.subject, []).append(message)
        outcomes = await asyncio.gather(
            *(self._publish_in_order(of_subject) for of_subject in by_subject.values()), return_exceptions=True
        )
        _raise_worst(outcome for outcome in outcomes if isinstance(outcome, BaseException))

    async def close(self) -> None:
        """Close the connection; where the subjects end is asked again."""
        self._sequences.clear()
        await self._connection.close()

    async def _publish_in_order(self, of_subject: list[Message]) -> None:
        async with self._at_once:
            for message in of_subject:
                await self._publish(message)

    async def _publish(self, message: Message) -> None:
        """Publish what of a message is not there yet."""
        subject = message.subject
        for _ in range(_ATTEMPTS):
            if subject not in self._sequences:
                await self._look_up(message)
                if subject not in self._sequences:
                    continue
            done = self._done.get(message.container)
            there = done.count(message.places) if done else 0
            if 2 * there == len(message.places):
                return
            left = without_first(message, there) if there else message
            try:
                ack = await self._request(left)
            except ApiError as error:
                if error.code == _WRONG_SEQUENCE:
                    continue
                raise _failure(self._connection, error, left) from None
            except NoRespondersError:
                await self._explain_absence(subject)
                continue
            if _integer(ack.get("seq")) <= 0:
                raise RetryError(f"{self._connection} does not acknowledge as JetStream does")
            self._note(left, ack)
            return
        raise UnavailableError(f"{self._connection}: the subject {subject} changes all the time")

    async def _request(self, message: Message) -> dict[str, Any]:
        """Publish a message, and return what acknowledges it. After a failure it is unknown where the subject ends."""
        sequence = self._sequences.pop(message.subject)
        end, offset = message.places[-2:]
        ending = self._ending(message)
        headers = {
            "Nats-Msg-Id": f"{message.container}-{offset}",
            "Peavey-Container": message.container,
            "Peavey-Name": message.name,
            "Peavey-End": str(end),
            "Peavey-Offsets": ",".join(map(str, sorted(ending))),
        }
        if message.subject not in self._shared:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(sequence)
        if self._stream:
            headers["Nats-Expected-Stream"] = self._stream
        try:
            return _checked(await self._connection.request(message.subject, message.text, headers))
        except nats.errors.MaxPayloadError:
            most = self._connection.most_bytes
            kind = TooLargeError if len(message.places) > 2 else RejectError
            raise kind(f"{len(message.text)} bytes are more than {self._connection} takes, {most}") from None

    def _note(self, message: Message, ack: dict[str, Any]) -> None:
        """Note what is there since a message was acknowledged, also one that was there before."""
        self._done[message.container] = Done(message.places[-2], self._ending(message))
        if not ack.get("duplicate"):
            self._sequences[message.subject] = _integer(ack.get("seq"))

    def _ending(self, message: Message) -> frozenset[int]:
        """Return the offsets of all records that end where the last of a message does, those before it included."""
        end = message.places[-2]
        before = self._done.get(message.container)
        offsets = set(before.offsets) if before and before.end == end else set()
        for number in range(len(message.places) - 2, -1, -2):
            if message.places[number] != end:
                break
            offsets.add(message.places[number + 1])
        return frozenset(offsets)

    async def _look_up(self, message: Message) -> None:
        """Find out where a subject ends, and which records its last message holds."""
        subject = message.subject
        stream = self._stream or self._streams.get(subject) or await self._find_stream(subject)
        try:
            answer = await self._ask(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
        except ApiError as error:
            if error.code == _NO_MESSAGE:
                self._streams[subject] = stream
                self._sequences[subject] = 0
            elif error.code == _STREAM_NOT_FOUND:
                await self._see_to_stream(subject, stream)
            else:
                raise _failure(self._connection, error, message) from None
            return
        self._streams[subject] = stream
        last = answer.get("message")
        if not isinstance(last, dict) or _integer(last.get("seq")) <= 0:
            raise RetryError(f"{self._connection} does not answer as JetStream does")
        self._sequences[subject] = _integer(last.get("seq"))
        headers = _read_headers(last.get("hdrs"))
        done = _read_done(headers)
        if done is not None and headers.get("Peavey-Container") == message.container:
            self._done[message.container] = done
        elif message.container in self._done:
            # Others publish to it, too: whoever is refused for that would be again and again.
            self._shared.add(subject)

    async def _see_to_stream(self, subject: str, missing: str) -> None:
        """Make a stream that is missing, if that is asked for, or raise what that means."""
        found = await self._find_stream(subject)
        if self._stream and found != self._stream:
            raise MisconfiguredError(
                f"{self._connection}: there is no stream {missing}, and {found} takes the subject {subject}: "
                f"see nats-stream"
            )

    async def _find_stream(self, subject: str) -> str:
        """Return the stream that takes a subject, which is made if that is asked for."""
        names = (await self._ask_api("STREAM.NAMES", {"subject": subject})).get("streams") or []
        if not isinstance(names, list):
            raise RetryError(f"{self._connection} does not answer as JetStream does")
        if not names and self._new is not None:
            async with self._making:
                await self._make_stream(self._new)
            names = [self._new.name]
        if names:
            self._streams[subject] = str(names[0])
            return str(names[0])
        if subject in self._streams:
            raise UnavailableError(f"{self._connection}: the stream {self._streams[subject]} is not there now")
        raise MisconfiguredError(
            f"{self._connection}: no stream takes the subject {subject}: make one, such as by nats stream add logs "
            f"--subjects '{subject.partition('.')[0]}.>', or set nats-create-stream=true"
        )

    async def _make_stream(self, new: NewStream) -> None:
        config = {
            "name": new.name,
            "subjects": [new.subjects],
            "num_replicas": new.replicas,
            "retention": "limits",
            "storage": "file",
            "discard": "old",
        }
        await self._ask_api(f"STREAM.CREATE.{new.name}", config)

    async def _explain_absence(self, subject: str) -> None:
        """Raise what it means that nobody takes a subject; elections leave it without anybody, too."""
        known = self._streams.get(subject, "")
        name = await self._find_stream(subject)
        if name == known:
            raise UnavailableError(f"{self._connection}: the stream {name} has no leader now")

    async def _ask_api(self, name: str, content: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._ask(name, content)
        except ApiError as error:
            raise _failure(self._connection, error, None) from None

    async def _ask(self, name: str, content: dict[str, Any]) -> dict[str, Any]:
        try:
            return _checked(await self._connection.request(_API + name, json.dumps(content).encode()))
        except NoRespondersError:
            if not self._streams and not self._connection.has_jetstream:
                raise MisconfiguredError(
                    f"{self._connection}: JetStream is not enabled: start nats-server with --jetstream"
                ) from None
            raise UnavailableError(f"{self._connection}: JetStream does not answer now") from None


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise ApiError(answer["error"])
    return answer


def _failure(connection: NatsConnection, error: ApiError, message: Message | None) -> SinkError:
    """Return the failure that an error of JetStream is."""
    if error.code == _TOO_LARGE and message is not None:
        kind = TooLargeError if len(message.places) > 2 else RejectError
        return kind(f"{connection}: {error} (the stream's max_msg_size)")
    if meaning := _LASTING.get(error.code):
        return MisconfiguredError(f"{connection} refuses: {error}; {meaning}")
    if error.status == 503 or "exceeded" in str(error) or "resource" in str(error):
        return UnavailableError(f"{connection} takes nothing now: {error}")
    return RetryError(f"{connection} answered: {error}")


def _integer(value: Any) -> int:
    """Return a number of an answer, 0 for anything else."""
    return value if isinstance(value, int) else 0


def _read_headers(encoded: Any) -> dict[str, str]:
    """Read the headers of a message; those of a message of others may be anything."""
    try:
        lines = base64.b64decode(encoded or "").decode(errors="replace").split("\r\n")
    except (TypeError, ValueError):
        return {}
    pairs = (line.partition(":") for line in lines[1:])
    return {name: value.strip() for name, colon, value in pairs if colon}


def _read_done(headers: Mapping[str, str]) -> Done | None:
    try:
        return Done(int(headers["Peavey-End"]), frozenset(map(int, headers["Peavey-Offsets"].split(","))))
    except (KeyError, ValueError):
        return None


def _raise_worst(problems: Iterable[BaseException]) -> None:
    """Raise what needs attention, else whatever there is."""
    found = list(problems)
    for problem in found:
        if not isinstance(problem, SinkError) or isinstance(problem, MisconfiguredError):
            raise problem
    if found:
        raise found[0]
