"""What S3 answers: an XML document with a code, where it refuses.

Source: "Error responses" in the API reference of Amazon S3.
"""

import html
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, TooLargeError
from plugin.sinks.transport.http.responses import failure, retry_after, shorten

_ELEMENT = re.compile(rb"<(Code|Message|Region|Endpoint|ServerTime|UploadId)>([^<]*)</\1>")
_REGION_OF_ENDPOINT = re.compile(r"(?:^|\.)s3[.-]([a-z]{2}(?:-[a-z0-9]+)+-[0-9]+)\.")
_REGION_HEADER = "x-amz-bucket-region"
_COMPLETED = b"<CompleteMultipartUploadResult"

_ADVICE = {
    "NoSuchBucket": "create the bucket",
    "AccessDenied": (
        "allow the access key s3:PutObject on the bucket, and kms:GenerateDataKey and kms:Decrypt where KMS encrypts"
    ),
    "AllAccessDisabled": "the bucket is closed to everybody",
    "AccountProblem": "there is a problem with the AWS account",
    "NotSignedUp": "there is a problem with the AWS account",
    "InvalidBucketName": "check s3-bucket",
    "InvalidBucketState": "check the bucket's settings",
    "InvalidStorageClass": "check s3-storage-class",
    "InvalidEncryptionAlgorithmError": "check s3-server-side-encryption",
    "ServerSideEncryptionConfigurationNotFoundError": "check s3-server-side-encryption",
    "MethodNotAllowed": "check s3-endpoint and s3-path-style",
    "InvalidURI": "check s3-key",
    "KeyTooLongError": "make s3-key shorter",
}
_CREDENTIALS = {
    "InvalidAccessKeyId": "the server does not know the access key: check it",
    "SignatureDoesNotMatch": "check the secret of the access key",
    "ExpiredToken": "the session token has ended: renew the credentials",
    "ExpiredTokenException": "the session token has ended: renew the credentials",
    "TokenRefreshRequired": "the session token has ended: renew the credentials",
    "InvalidToken": "check the session token",
    "InvalidSecurity": "check the access key",
}
_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "InvalidRegion"}
)
_AGAIN = frozenset(
    {
        *("RequestTimeout", "SlowDown", "SlowDownWrite", "TooManyRequests", "ServiceUnavailable", "InternalError"),
        *("ConditionalRequestConflict", "OperationAborted", "TemporaryRedirect", "NoSuchUpload", "InvalidPart"),
        *("BadDigest", "IncompleteBody", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"),
    }
)
"""What may pass, and what was damaged on its way."""


class UnconditionalError(RetryError):
    """The server does not know ``If-None-Match``."""


class CredentialsError(MisconfiguredError):
    """The server does not take the credentials: renewed ones may do."""


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret], now: float
) -> SinkError | None:
    """Return what an answer means, as `failure` does; 412 says that the object is there already.

    Nothing but its size has a batch refused: others of its objects may be stored, and would be stored once more in
    others. ``now`` is in seconds since 1970 UTC.
    """
    if 200 <= status < 300 or status == HTTPStatus.PRECONDITION_FAILED:
        return None
    return refusal(site, status, headers, body, secrets, now)


def refusal(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret], now: float
) -> SinkError:
    """Return the failure that a document with an error stands for, whatever status it came with."""
    found = elements(body)
    code = found.get("Code", "")
    said = shorten(": ".join(filter(None, (code, found.get("Message")))).encode(), secrets) or shorten(body, secrets)
    message = f"{site} answered {status}{said}"
    if code in _CREDENTIALS:
        return CredentialsError(f"{message} ({_CREDENTIALS[code]})")
    if code == "RequestTimeTooSkewed":
        return MisconfiguredError(f"{message} ({_clock_advice(found, headers, now)})")
    if code in _REGION or (status == HTTPStatus.MOVED_PERMANENTLY and _REGION_HEADER in headers):
        return MisconfiguredError(f"{message} ({_region_advice(found, headers)})")
    if code == "NotImplemented" or status == HTTPStatus.NOT_IMPLEMENTED:
        return UnconditionalError(message)
    if code in _AGAIN or status == HTTPStatus.CONFLICT:
        return RetryError(message, retry_after(headers))
    if code == "EntityTooLarge" or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLargeError(message)
    if advice := _ADVICE.get(code) or ("check s3-kms-key-id" if code.startswith("KMS.") else ""):
        return MisconfiguredError(f"{message} ({advice})")
    if status == HTTPStatus.FORBIDDEN:
        return MisconfiguredError(f"{message} (check the access key, and that it may s3:PutObject on the bucket)")
    if status < 300:
        return RetryError(message)
    fault = failure(site, status, headers, body, secrets)
    return MisconfiguredError(message) if fault is None or isinstance(fault, RejectError) else fault


def completion_fault(
    site: str, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret], now: float
) -> SinkError | None:
    """Return what a 200 hides: that of a completed upload comes before S3 has put its parts together."""
    return None if _COMPLETED in body else refusal(site, 200, headers, body, secrets, now)


def elements(body: bytes) -> dict[str, str]:
    """Return the texts of the elements that matter here, of each the first."""
    found: dict[str, str] = {}
    for name, content in _ELEMENT.findall(body):
        found.setdefault(name.decode(), html.unescape(content.decode("utf-8", "replace")).strip())
    return found


def _region_advice(found: Mapping[str, str], headers: Mapping[str, str]) -> str:
    region = headers.get(_REGION_HEADER) or found.get("Region", "")
    if not region and (of_endpoint := _REGION_OF_ENDPOINT.search(found.get("Endpoint", ""))):
        region = of_endpoint[1]
    if re.fullmatch(r"[A-Za-z0-9-]{1,40}", region):
        return f"the bucket is in another region: set s3-region={region}"
    return "the bucket is in another region: check s3-region"


def _clock_advice(found: Mapping[str, str], headers: Mapping[str, str], now: float) -> str:
    try:
        theirs = datetime.fromisoformat(found["ServerTime"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        try:
            theirs = parsedate_to_datetime(headers.get("Date", "")).timestamp()
        except (TypeError, ValueError, ArithmeticError, LookupError):
            return "set this host's clock"
    minutes = round((now - theirs) / 60)
    return f"set this host's clock: it is {abs(minutes)} minutes {'ahead of' if minutes > 0 else 'behind'} the server's"
