"""What the errors that Redis answers with mean for a batch."""

import re

from plugin.config.parsing import printable
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, UnavailableError
from plugin.sinks.transport.dial import Address

_CODE = re.compile(
    r"\b(MOVED|ASK|NOSCRIPT|PEAVEYFOREIGN|NOAUTH|WRONGPASS|NOPERM|WRONGTYPE|CLUSTERDOWN|CROSSSLOT|TRYAGAIN|LOADING|BUSY"
    r"|MASTERDOWN|READONLY|OOM|MISCONF|NOREPLICAS|UNKILLABLE|EXECABORT)\b"
)
_UNAVAILABLE = {
    "CLUSTERDOWN": "the cluster is down",
    "TRYAGAIN": "the slot is being moved",
    "LOADING": "it is loading its data",
    "BUSY": "it is busy with a script",
    "UNKILLABLE": "it is busy with a script",
    "MASTERDOWN": "it is a replica without its master",
    "READONLY": "it is a replica, which takes no writes",
    "OOM": "it has no memory left (maxmemory)",
    "MISCONF": "it cannot write to its disk, and takes nothing until it can",
    "NOREPLICAS": "it has fewer replicas than min-replicas-to-write",
}
_ADVICE = {
    "NOAUTH": "it wants a password: set redis-password, and redis-username for an ACL user",
    "WRONGPASS": "user or password are wrong: see redis-username and redis-password",
    "NOPERM": (
        "the ACL user may not do this: it needs ~logs:* (the keys of redis-stream) and +evalsha +script|load +xadd "
        "+xtrim +xrange +xinfo, and +select, +wait +xsetid or +cluster|slots where these are used"
    ),
    "WRONGTYPE": "the key that redis-stream gives holds something else than a stream: choose another one",
    "PEAVEYFOREIGN": (
        "the stream has an entry with a later id than this journal's: something else writes to it, or the clock was "
        "set back; choose another redis-stream, or delete the stream"
    ),
    "CROSSSLOT": "the keys of a batch are in different slots",
}
# What a script may not do is told without a code, and a large command before the login as an error of the protocol.
_WITHOUT_CODE = {"executing the script can't": "NOPERM", "Protocol error: unauthenticated": "NOAUTH"}
_LOGIN = re.compile(r"invalid password|AUTH|DB index|SELECT", re.IGNORECASE)
_UNKNOWN = re.compile(r"unknown (?:sub)?command", re.IGNORECASE)
_LONGEST = 200


def code_of(text: str) -> str:
    """Return the code of an error, empty for one that is not known; a script's errors have it within their text."""
    found = _CODE.search(text)
    if found:
        return found[1]
    return next((code for part, code in _WITHOUT_CODE.items() if part in text), "")


def failure(address: Address, text: str) -> SinkError:
    """Return the failure that an error which Redis answered with is."""
    code = code_of(text)
    said = printable(text[:_LONGEST])
    if meaning := _UNAVAILABLE.get(code):
        return UnavailableError(f"{address} takes nothing now: {meaning} ({said})")
    if advice := _ADVICE.get(code):
        return MisconfiguredError(f"{address} refuses: {said}; {advice}")
    if _LOGIN.search(text):
        return MisconfiguredError(f"{address} refuses the login: {said}; see redis-url, redis-username, redis-password")
    if _UNKNOWN.search(text):
        return MisconfiguredError(f"{address} does not know a command: {said}; Redis 5 or later is needed")
    if "maximum allowed size" in text or "Protocol error" in text:
        return RejectError(f"{address} refuses: {said}")
    return RetryError(f"{address} answered: {said}")
