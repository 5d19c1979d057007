"""CloudWatch Logs for tests: its limits, which stand-ins do not enforce, and signatures, checked by botocore.

Sources: "PutLogEvents", "CreateLogStream", "CreateLogGroup" and "Common errors" in the API reference of CloudWatch
Logs.
"""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.sinks.factories import TIME
from tests.sinks.receiving.http import Reply, Request, http_application
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Protocol, Receiver

REGION = "eu-central-1"
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105 (the one of AWS's examples)
MILLISECOND = 1_000_000
HOUR = 3_600_000
"""Milliseconds."""
DAY = 24 * HOUR
LARGEST_EVENT = 262_144

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)"
)
_MEMBERS = {
    "PutLogEvents": {"logGroupName", "logStreamName", "logEvents", "sequenceToken"},
    "CreateLogStream": {"logGroupName", "logStreamName"},
    "CreateLogGroup": {"logGroupName"},
}
_TOKEN_AGE = 300.0  # seconds for which a signature holds


class RefusedError(Exception):
    """What the API answers instead: a code, a message, and perhaps a status other than 400."""

    def __init__(self, code: str, message: str = "", status: int = 400, **more: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.more = more


@dataclass
class Stream:
    """A log stream: its events in the order in which they came, and the token that an old server wants next."""

    events: list[dict[str, Any]] = field(default_factory=list)
    token: str | None = None
    last: list[dict[str, Any]] | None = None


class CloudWatch:
    """The log groups of a region.

    ``keys``
        secret and session token (empty for none) by access key
    ``expired``
        access keys of which the session has ended
    ``now``
        the time in seconds by which events are too old or too new
    ``retention``
        days for which the groups keep events, none if 0
    ``errors``
        codes that the next requests for an action are answered with, by action; empty ones stand for no error
    ``wants_tokens``
        whether it is as before 2023, when each request had to name the one before
    ``requests``
        what was asked, in order: action, members
    """

    def __init__(self, *groups: str, now: Callable[[], float] = lambda: TIME / 1e9 + 3600) -> None:
        self.groups: dict[str, dict[str, Stream]] = {group: {} for group in groups}
        self.keys = {KEY: (SECRET_KEY, "")}
        self.expired: set[str] = set()
        self.now = now
        self.retention = 0
        self.errors: dict[str, deque[str]] = {}
        self.wants_tokens = False
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self._lock = threading.Lock()

    def actions(self) -> list[str]:
        """Return which actions were asked for, in order."""
        return [action for action, _ in self.requests]

    def lines(self, stream: str, group: str = "shop") -> list[str]:
        """Return the messages of a stream in the order in which it shows them."""
        events = self.groups[group][stream].events
        return [event["message"] for event in sorted(events, key=lambda event: event["timestamp"])]

    def answer(self, receiver: Receiver, request: Request) -> Reply:
        """Answer one request."""
        with self._lock:
            try:
                return self._answer(receiver, request)
            except RefusedError as error:
                body = {"__type": error.code, "message": str(error), **error.more}
                return Reply(error.status, json.dumps(body).encode())

    def _answer(self, receiver: Receiver, request: Request) -> Reply:
        version, _, action = request.headers.get("X-Amz-Target", "").partition(".")
        if (request.method, version) != ("POST", "Logs_20140328") or action not in _MEMBERS:
            raise RefusedError("UnknownOperationException")
        self._check_signature(request)
        self.headers.append(dict(request.headers.items()))
        members = json.loads(request.body)
        self.requests.append((action, members))
        errors = self.errors.get(action)
        if errors and (code := errors.popleft()):
            raise RefusedError(code, f"told to say {code}", 503 if code == "ServiceUnavailableException" else 400)
        if unknown := members.keys() - _MEMBERS[action]:
            raise RefusedError("SerializationException", f"unknown members: {sorted(unknown)}")
        _check(members.get("logGroupName"), r"[\.\-_/#A-Za-z0-9]{1,512}", "logGroupName")
        if action != "CreateLogGroup":
            _check(members.get("logStreamName"), r"[^:*]{1,512}", "logStreamName")
        return getattr(self, f"_{action}")(members, receiver.refused.decode())  # type: ignore[no-any-return]

    def _CreateLogGroup(self, members: dict[str, Any], _: str) -> Reply:  # noqa: N802 (the name of the action)
        if members["logGroupName"] in self.groups:
            raise RefusedError("ResourceAlreadyExistsException", "The specified log group already exists")
        self.groups[members["logGroupName"]] = {}
        return Reply(200, b"")

    def _CreateLogStream(self, members: dict[str, Any], _: str) -> Reply:  # noqa: N802
        streams = self._group(members)
        if members["logStreamName"] in streams:
            raise RefusedError("ResourceAlreadyExistsException", "The specified log stream already exists")
        streams[members["logStreamName"]] = Stream()
        return Reply(200, b"")

    def _PutLogEvents(self, members: dict[str, Any], refused: str) -> Reply:  # noqa: N802
        events = members["logEvents"]
        check_events(events, refused)
        stream = self._group(members).get(members["logStreamName"])
        if stream is None:
            raise RefusedError("ResourceNotFoundException", "The specified log stream does not exist.")
        if self.wants_tokens and members.get("sequenceToken") != stream.token:
            if stream.last == events:
                raise RefusedError("DataAlreadyAcceptedException", expectedSequenceToken=stream.token or "")
            raise RefusedError("InvalidSequenceTokenException", expectedSequenceToken=stream.token or "")
        rejected = self._rejected(events)
        first = max(rejected.get("tooOldLogEventEndIndex", 0), rejected.get("expiredLogEventEndIndex", 0))
        taken = events[first : rejected.get("tooNewLogEventStartIndex", len(events))]
        stream.events += taken
        stream.last = events
        stream.token = f"{len(stream.events):056}"
        answer: dict[str, Any] = {"nextSequenceToken": stream.token}
        if rejected:
            answer["rejectedLogEventsInfo"] = rejected
        received = [
            Received(members["logStreamName"], "stdout", e["message"].encode(), e["timestamp"] * MILLISECOND)
            for e in taken
        ]
        return Reply(200, json.dumps(answer).encode(), received)

    def _group(self, members: dict[str, Any]) -> dict[str, Stream]:
        try:
            return self.groups[members["logGroupName"]]
        except KeyError:
            raise RefusedError("ResourceNotFoundException", "The specified log group does not exist.") from None

    def _rejected(self, events: list[dict[str, Any]]) -> dict[str, int]:
        now = self.now() * 1000
        old = sum(event["timestamp"] < now - 14 * DAY for event in events)
        expired = sum(self.retention > 0 and event["timestamp"] < now - self.retention * DAY for event in events)
        new = sum(event["timestamp"] > now + 2 * HOUR for event in events)
        found = {"tooOldLogEventEndIndex": old} if old else {}
        found |= {"expiredLogEventEndIndex": expired} if expired else {}
        return found | ({"tooNewLogEventStartIndex": len(events) - new} if new else {})

    def _check_signature(self, request: Request) -> None:
        """Sign anew, as botocore does, what the request says is signed."""
        match = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if match is None:
            raise RefusedError("MissingAuthenticationTokenException", "Missing Authentication Token")
        key, date, region, service, names, signature = match.groups()
        if key not in self.keys:
            raise RefusedError(
                "UnrecognizedClientException", "The security token included in the request is invalid.", 403
            )
        secret, token = self.keys[key]
        if request.headers.get("X-Amz-Security-Token", "") != token:
            raise RefusedError(
                "UnrecognizedClientException", "The security token included in the request is invalid.", 403
            )
        if key in self.expired:
            raise RefusedError("ExpiredTokenException", "The security token included in the request is expired")
        assert {"content-type", "host", "x-amz-date", "x-amz-target"} <= set(names.split(";"))
        stamp = request.headers["X-Amz-Date"]
        moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        assert stamp.startswith(date)
        headers = {name: request.headers[name] for name in names.split(";")}
        copy = AWSRequest(
            request.method,
            f"http://{request.headers['Host']}{request.target}",
            headers=headers,
            data=request.body,
        )
        copy.context["timestamp"] = stamp
        signer = SigV4Auth(Credentials(key, secret), service, region)
        expected = signer.signature(signer.string_to_sign(copy, signer.canonical_request(copy)), copy)
        if (service, region) != ("logs", REGION) or signature != expected:
            raise RefusedError("InvalidSignatureException", "The request signature we calculated does not match", 403)
        if abs(moment.timestamp() - time.time()) > _TOKEN_AGE:
            raise RefusedError("InvalidSignatureException", "Signature expired", 403)


def _check(value: object, pattern: str, name: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
        raise RefusedError("InvalidParameterException", f"Value at '{name}' failed to satisfy constraint")


def check_events(events: list[dict[str, Any]], refused: str = "") -> None:
    """Refuse what a request may not hold."""
    if not 1 <= len(events) <= 10_000:
        raise RefusedError("InvalidParameterException", f"{len(events)} events: 1 to 10000 are taken")
    sizes = []
    for event in events:
        if event.keys() != {"timestamp", "message"}:
            raise RefusedError("SerializationException", f"members: {sorted(event)}")
        message, timestamp = event["message"], event["timestamp"]
        if not message or (refused and refused in message):
            raise RefusedError(
                "InvalidParameterException", "Value at 'logEvents' failed to satisfy constraint: message"
            )
        if type(timestamp) is not int or timestamp < 0:
            raise RefusedError("InvalidParameterException", f"Value at 'logEvents': timestamp {timestamp}")
        sizes.append(len(message.encode()) + 26)
    if max(sizes) > LARGEST_EVENT:
        raise RefusedError("InvalidParameterException", f"Log event too large: {max(sizes)} bytes exceeds 262144")
    if sum(sizes) > 1_048_576:
        raise RefusedError("InvalidParameterException", f"Upload too large: {sum(sizes)} bytes exceeds 1048576")
    times = [event["timestamp"] for event in events]
    if times != sorted(times):
        raise RefusedError("InvalidParameterException", "Log events must be in chronological order.")
    if times[-1] - times[0] > DAY:
        raise RefusedError("InvalidParameterException", "The batch of log events cannot span more than 24 hours.")


def cloudwatch(cloud: CloudWatch) -> Protocol:
    """Speak as CloudWatch Logs does."""
    return http_application(cloud.answer)


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {
        "awslogs-endpoint": f"http://{address}",
        "awslogs-region": REGION,
        "awslogs-group": "shop",
        "awslogs-access-key-id": KEY,
        "awslogs-secret-access-key": SECRET_KEY,
        "awslogs-timeout": "2m",
        "tag": "{{.Name}}",
    }


PROTOCOL = cloudwatch(CloudWatch("shop"))
