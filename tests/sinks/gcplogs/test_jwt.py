"""Signed tokens, verified by another implementation of RSA."""

import base64
import json
import re

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from plugin.sinks.gcplogs.jwt import make_jwt, parse_key
from tests.sinks.gcplogs.receiver import pem, private_key

ANSWER = "the private key is not an RSA key in PEM, without a password"


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_a_token_is_signed_as_rs256_has_it(form: str) -> None:
    token = make_jwt(parse_key(pem(form)), "k1", {"iss": "me", "exp": 7})

    head, claims, signature = token.split(".")
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert json.loads(decoded(claims)) == {"iss": "me", "exp": 7}
    public = private_key().public_key()
    public.verify(decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert "=" not in token


def test_signatures_are_those_of_another_implementation() -> None:
    key = parse_key(pem())
    for number in range(20):
        content = b"x" * number
        assert key.sign(content) == private_key().sign(content, padding.PKCS1v15(), hashes.SHA256())


def test_a_key_does_not_show_itself() -> None:
    key = parse_key(pem())
    assert str(key.private) not in repr(key)


def other(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----",
        other(ec.generate_private_key(ec.SECP256R1())),
        other(rsa.generate_private_key(public_exponent=65_537, key_size=1024)),  # noqa: S505 (it is refused)
    ],
    ids=["nothing", "cut", "no base64", "elliptic", "small"],
)
def test_what_is_no_such_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=ANSWER):
        parse_key(text)


def test_a_key_with_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match=ANSWER):
        parse_key(other(private_key(), b"secret"))


def test_a_key_that_is_cut_anywhere_is_refused_and_does_not_show() -> None:
    text = pem()
    body = "".join(re.findall(r"^[^-]+$", text, re.MULTILINE))
    for end in range(0, len(body), 100):
        cut = f"-----BEGIN PRIVATE KEY-----\n{body[:end]}\n-----END PRIVATE KEY-----"
        with pytest.raises(ValueError, match=f"^{ANSWER}$"):
            parse_key(cut)
