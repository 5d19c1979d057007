"""What CloudWatch Logs answers: an error by its code, or which events of a request it has refused.

Sources: "PutLogEvents" (*RejectedLogEventsInfo*), "CreateLogStream", "CreateLogGroup" and "Common errors" in the API
reference of CloudWatch Logs; what is an error of a busy service: ``standard`` retries of AWS's SDKs.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError
from plugin.sinks.transport.http.responses import failure, shorten

NOT_FOUND = "ResourceNotFoundException"
ALREADY_EXISTS = "ResourceAlreadyExistsException"
ALREADY_ACCEPTED = "DataAlreadyAcceptedException"
INVALID_TOKEN = "InvalidSequenceTokenException"  # noqa: S105 (a code)

_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired"})
_BUSY = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "OperationAbortedException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_PERMISSION = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"})
_OF_THE_BATCH = frozenset({"InvalidParameterException", "SerializationException", "ValidationException"})
_SETUP = frozenset({"LimitExceededException", "UnknownOperationException"})

_LIMITS = (
    ("expiredLogEventEndIndex", "it is older than the log group keeps events"),
    ("tooOldLogEventEndIndex", "it is more than 14 days old"),
)


class ApiError(SinkError):
    """An error of the API, by its code; ``fault`` is what the answer stands for, whatever its code.

    ``sequence_token`` is the token that the stream wants, where it wants one.
    """

    def __init__(self, code: str, message: str, fault: SinkError, sequence_token: str | None = None) -> None:
        super().__init__(f"{code}{message}")
        self.code = code
        self.fault = fault
        self.sequence_token = sequence_token

    @property
    def is_expired(self) -> bool:
        """Whether the credentials have ended, and others might do."""
        return self.code in _EXPIRED

    @property
    def is_of_credentials(self) -> bool:
        """Whether the credentials are not accepted, or not any more."""
        return self.is_expired or self.code in _CREDENTIALS

    def meaning(self, site: str, action: str) -> SinkError:
        """Return the failure that it is, of a request for ``action``."""
        said = f"{site} answered {self} to {action}"
        if self.is_expired:
            return MisconfiguredError(f"{said} (the AWS credentials have ended: renew them)")
        if self.code in _CREDENTIALS:
            return MisconfiguredError(f"{said} (check the AWS access key, its secret, and this host's clock)")
        if self.code in _PERMISSION:
            return MisconfiguredError(f"{said} (the user or role of the AWS credentials needs logs:{action})")
        if isinstance(self.fault, RetryError):
            return RetryError(said, self.fault.after)
        if self.code in _BUSY:
            return RetryError(said)
        if self.code in _SETUP or (self.code in _OF_THE_BATCH and action != "PutLogEvents"):
            return MisconfiguredError(said)
        return RejectError(said) if self.code in _OF_THE_BATCH else type(self.fault)(said)


class Refused(NamedTuple):
    """A run of events, from ``start`` up to ``end``, that were refused, and why."""

    start: int
    end: int
    reason: str


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret] = ()
) -> SinkError | None:
    """Return the failure that an answer stands for, an `ApiError` where it has a code; takes the place of `failure`."""
    fault = failure(site, status, headers, body, secrets)
    if fault is None:
        return None
    content = _members(body)
    code = content.get("__type") or content.get("code") or headers.get("x-amzn-ErrorType") or ""
    code = str(code).rpartition("#")[2].partition(":")[0]
    if not code.isidentifier() or len(code) > 100:
        return fault
    message = content.get("message") or content.get("Message") or ""
    token = content.get("expectedSequenceToken")
    said = shorten(str(message).encode("utf-8", "replace"), secrets)
    return ApiError(code, said, fault, token if isinstance(token, str) else None)


def read_answer(site: str, body: bytes) -> Mapping[str, Any]:
    """Return the members of an answer; raises `MisconfiguredError` for one that the API does not give."""
    try:
        content = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise MisconfiguredError(
            f"{site} did not answer as CloudWatch Logs does: check the endpoint (log-opt awslogs-endpoint)"
        )
    return content


def refused_events(answer: Mapping[str, Any], count: int) -> Iterator[Refused]:
    """Yield which of ``count`` events in order of time were refused; runs may overlap."""
    info = answer.get("rejectedLogEventsInfo")
    if not isinstance(info, dict):
        return
    for name, reason in _LIMITS:
        if isinstance(end := info.get(name), int) and end > 0:
            yield Refused(0, min(end, count), f"{name}: {reason}")
    start = info.get("tooNewLogEventStartIndex")
    if isinstance(start, int) and start < count:
        yield Refused(max(start, 0), count, "tooNewLogEventStartIndex: it is more than two hours in the future")


def _members(body: bytes) -> Mapping[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
