"""What log-opt ``redact`` knows: patterns of texts that are not for everybody, and checks that such a text is one."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import NamedTuple

_NAMES = (
    r"(?:password|passwd|passphrase|pwd|secret|api[_-]?key|apikey|access[_-]?key|private[_-]?key|"
    r"access[_-]?token|auth[_-]?token|refresh[_-]?token|client[_-]?secret|secret[_-]?key)"
)

TELLING_NAME = rf"(?i){_NAMES}"
"""Found in the names of fields whose whole value is redacted as a password."""


class Sensitive(NamedTuple):
    """A kind of text: where the pattern has groups, only these are the text."""

    pattern: str
    check: Callable[[bytes], bool] | None = None
    """Whether what was matched is really one."""
    sign: str | None = None
    """A pattern that is found in the texts in which the other one is, if that is not quick; else None."""


def is_card(text: bytes) -> bool:
    """Return whether the digits of a text are the number of a payment card: by its beginning, and Luhn's formula."""
    digits = [byte - 48 for byte in text if 48 <= byte <= 57]
    if not 13 <= len(digits) <= 19 or not 2 <= digits[0] <= 6:
        return False
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: bytes) -> bool:
    """Return whether a text is an IBAN, by its check digits (ISO 13616)."""
    packed = text.replace(b" ", b"").decode()
    if not 15 <= len(packed) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in packed[4:] + packed[:4])) % 97 == 1


def is_ipv6(text: bytes) -> bool:
    """Return whether a text is an IPv6 address, other than the one that is nothing but colons."""
    try:
        ipaddress.IPv6Address(text.decode())
    except ValueError:
        return False
    return text != b"::"


def is_ssn(text: bytes) -> bool:
    """Return whether a text can be a number of the social security of the United States."""
    area, group, serial = text.split(b"-")
    return area not in (b"000", b"666") and area[:1] != b"9" and group != b"00" and serial != b"0000"


_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_HEXTETS = r"[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*"

KINDS: Mapping[str, Sensitive] = {
    "private-key": Sensitive(
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
        sign=r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
    ),
    "jwt": Sensitive(r"\beyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    "bearer": Sensitive(r"(?i)\bbearer\s+([A-Za-z0-9._~+/-]{8}[A-Za-z0-9._~+/-]*=*)"),
    "basic-auth": Sensitive(r"""(?i)authorization["']?\s*[:=]\s*["']?basic\s+([A-Za-z0-9+/=_-]+)"""),
    "url-password": Sensitive(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@?#]*:([^\s/@?#]+)@"),
    "password": Sensitive(rf"""(?i){_NAMES}["']?\s*[=:]\s*(?:"((?:[^"\\]|\\.)+)"|'([^']+)'|([^\s,;&"'}})\]]+))"""),
    "aws-key": Sensitive(
        r"\b((?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA|AIPA|ABIA|ACCA)[A-Z0-9]{16})\b"
        r"""|(?i:aws.{0,20}?(?:key|secret)["']?\s*[=:]\s*["']?)([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+]|$)"""
    ),
    "github-token": Sensitive(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}[A-Za-z0-9]*|github_pat_[A-Za-z0-9_]{22}[A-Za-z0-9_]*)"),
    "gitlab-token": Sensitive(r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent)-[A-Za-z0-9_-]{20}[A-Za-z0-9_.-]*"),
    "slack-token": Sensitive(r"\bxox[abeoprs]-[A-Za-z0-9-]{10}[A-Za-z0-9-]*"),
    "google-key": Sensitive(r"\bAIza[A-Za-z0-9_-]{35}"),
    "stripe-key": Sensitive(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16}[A-Za-z0-9]*"),
    "email": Sensitive(r"[A-Za-z0-9][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2}[A-Za-z]*"),
    "iban": Sensitive(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", is_iban),
    "card": Sensitive(r"\b\d(?:[ -]?\d){12,18}\b", is_card),
    "us-ssn": Sensitive(r"\b\d{3}-\d{2}-\d{4}\b", is_ssn),
    "mac": Sensitive(r"\b(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b|\b(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}\b"),
    "ipv6": Sensitive(
        rf"\b((?:[0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}})\b"
        rf"|(?:^|[^0-9A-Za-z:.])((?:{_HEXTETS})?::(?:{_HEXTETS})?(?:(?::|::){_BYTE}(?:\.{_BYTE}){{3}})?)(?:[^0-9A-Za-z:]|$)",
        is_ipv6,
    ),
    "ipv4": Sensitive(rf"\b(?:{_BYTE}\.){{3}}{_BYTE}\b"),
}
"""The kinds by name, in the order in which they are looked for: what is longest first."""
