"""Signed JSON Web Tokens, RS256, by which a service account proves who it is.

Written here since it is all of `cryptography`, 16 MB, that would be used, and once an hour. Sources: RFC 7515 (JWS),
RFC 8017, 8.2 and 9.2 (RSASSA-PKCS1-v1_5), RFC 5958 (PKCS #8).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_PEM = re.compile(r"-----BEGIN (RSA )?PRIVATE KEY-----(.+?)-----END (?:RSA )?PRIVATE KEY-----", re.DOTALL)
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
"""DigestInfo for SHA-256, in front of the digest (RFC 8017, 9.2, note 1)."""
_SEQUENCE = 0x30
_NOT_A_KEY = "the private key is not an RSA key in PEM, without a password"
_FEWEST_BITS = 2048


@dataclass(frozen=True, slots=True, repr=False)
class RsaKey:
    """A private key: modulus, public exponent and private exponent."""

    modulus: int
    exponent: int
    private: int

    def sign(self, content: bytes) -> bytes:
        """Return the signature of some bytes."""
        size = (self.modulus.bit_length() + 7) // 8
        digest = _SHA256 + hashlib.sha256(content).digest()
        padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
        # Blinded, so that how long it takes tells nobody anything about the key.
        blind = int.from_bytes(hashlib.shake_256(content + self.private.to_bytes(size)).digest(size)) % self.modulus
        hidden = int.from_bytes(padded) * pow(blind, self.exponent, self.modulus)
        signed = pow(hidden % self.modulus, self.private, self.modulus) * pow(blind, -1, self.modulus)
        return (signed % self.modulus).to_bytes(size)


def parse_key(pem: str) -> RsaKey:
    """Read a private key in PEM, PKCS #8 or PKCS #1; raises `ValueError`, whose message does not show it."""
    match = _PEM.search(pem)
    if match is None:
        raise ValueError(_NOT_A_KEY)
    try:
        content = base64.b64decode("".join(match[2].split()), validate=True)
        fields = _sequence(content)
        if not match[1]:
            fields = _sequence(fields[2][1])  # behind the version and the algorithm
        modulus, exponent, private = (int.from_bytes(value, "big") for _, value in fields[1:4])
    except (binascii.Error, IndexError, ValueError):
        raise ValueError(_NOT_A_KEY) from None
    if modulus.bit_length() < _FEWEST_BITS or not modulus & 1 or not 1 < private < modulus or exponent < 2:
        raise ValueError(_NOT_A_KEY)
    return RsaKey(modulus, exponent, private)


def make_jwt(key: RsaKey, key_id: str, claims: Mapping[str, Any]) -> str:
    """Return a token with these claims, signed by the key."""
    header = {"alg": "RS256", "typ": "JWT", **({"kid": key_id} if key_id else {})}
    content = f"{_encoded(orjson.dumps(header))}.{_encoded(orjson.dumps(dict(claims)))}"
    return f"{content}.{_encoded(key.sign(content.encode()))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _sequence(content: bytes) -> list[tuple[int, bytes]]:
    """Read a SEQUENCE of DER: tags and contents of what is in it."""
    ((tag, inside),) = _elements(content)
    if tag != _SEQUENCE:
        raise ValueError("not a SEQUENCE")
    return _elements(inside)


def _elements(content: bytes) -> list[tuple[int, bytes]]:
    elements = []
    position = 0
    while position < len(content):
        tag, length = content[position], content[position + 1]
        position += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(content[position : position + count])
            position += count
        if position + length > len(content):
            raise ValueError("an element is cut off")
        elements.append((tag, content[position : position + length]))
        position += length
    return elements
