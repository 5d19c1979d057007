"""What Loki's answers mean, besides their status."""

import re
from collections.abc import Iterable, Mapping

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError
from plugin.sinks.transport.http.responses import failure

# The words of pkg/validation/validate.go in grafana/loki.
_LIMIT_OF_A_STREAM = re.compile(rb"per.stream rate limit exceeded|maximum active stream limit exceeded", re.IGNORECASE)


class StreamLimitError(RetryError):
    """Loki takes no more of one stream now; others may be taken all the same."""


def judge(
    site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
) -> SinkError | None:
    """Return the failure that an answer stands for, None for 2xx."""
    fault = failure(site, status, headers, body, secrets)
    if isinstance(fault, RetryError) and _LIMIT_OF_A_STREAM.search(body):
        return StreamLimitError(str(fault), fault.after)
    if isinstance(fault, RejectError) and b"structured metadata" in body and b"disallowed" in body:
        return MisconfiguredError(f"{fault} (log-opt loki-structured-metadata=false sends none)")
    return fault
