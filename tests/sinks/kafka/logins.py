"""What a broker does before it takes requests: SASL by PLAIN or SCRAM (RFC 5802), or TLS; for a `TcpProxy`.

Source: https://kafka.apache.org/protocol.html (ApiVersions, SaslHandshake, SaslAuthenticate). That this is right is
shown by librdkafka's client, which is let in by it, too.
"""

import base64
import hashlib
import hmac
import socket
import ssl
import struct

from tests.testbed.tcp_proxy import Greet

USER, PASSWORD = "peavey", "pen,cil=1"
_VERSIONS = ((0, 3, 7), (1, 4, 11), (2, 1, 2), (3, 0, 5), (10, 0, 2), (17, 0, 1), (18, 0, 0), (22, 0, 1), (36, 0, 1))
_UNSUPPORTED_VERSION, _UNSUPPORTED_MECHANISM, _REFUSED = 35, 33, 58
_ITERATIONS = 4096


def asks_for_login(mechanism: str) -> Greet:
    """Let in who shows `USER` and `PASSWORD` by a mechanism of SASL."""

    def greet(client: socket.socket) -> socket.socket:
        rounds: _Plain | _Scram = _Plain() if mechanism == "PLAIN" else _Scram(mechanism)
        while True:
            key, version, number, body = _request(client)
            if key == 18:
                versions = b"".join(struct.pack(">hhh", *each) for each in _VERSIONS)
                error = _UNSUPPORTED_VERSION if version else 0
                _answer(client, number, struct.pack(">hi", error, len(_VERSIONS)) + versions)
            elif key == 17:
                error = 0 if body[2:].decode() == mechanism else _UNSUPPORTED_MECHANISM
                _answer(client, number, struct.pack(">hi", error, 1) + _text(mechanism))
            elif key == 36:
                said = rounds.answer(body[4:])
                ending = struct.pack(">q", 0) if version else b""
                if said is None:
                    _answer(client, number, struct.pack(">h", _REFUSED) + _text("no") + struct.pack(">i", 0) + ending)
                    raise ConnectionError
                _answer(client, number, struct.pack(">hhi", 0, -1, len(said)) + said + ending)
                if rounds.is_over:
                    return client
            else:
                raise ConnectionError

    return greet


def speaks_tls(context: ssl.SSLContext) -> Greet:
    """Speak TLS."""
    return lambda client: context.wrap_socket(client, server_side=True)


class _Plain:
    is_over = False

    def answer(self, said: bytes) -> bytes | None:
        self.is_over = said in (f"\0{USER}\0{PASSWORD}".encode(), f"{USER}\0{USER}\0{PASSWORD}".encode())
        return b"" if self.is_over else None


class _Scram:
    is_over = False

    def __init__(self, mechanism: str) -> None:
        self._hash = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[mechanism]
        self._first = ""

    def answer(self, said: bytes) -> bytes | None:
        text = said.decode()
        salt = b"salt and pepper"
        if not self._first:
            header, _, bare = text.partition(",,")
            user, nonce = bare.split(",")
            if header != "n" or user != f"n={USER}":
                return None
            answer = f"{nonce}server,s={base64.b64encode(salt).decode()},i={_ITERATIONS}"
            self._first = f"{bare},{answer}"
            return answer.encode()
        without_proof, _, proof = text.rpartition(",p=")
        message = f"{self._first},{without_proof}".encode()
        salted = hashlib.pbkdf2_hmac(self._hash, PASSWORD.encode(), salt, _ITERATIONS)
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        stored = hashlib.new(self._hash, client_key).digest()
        signature = hmac.digest(stored, message, self._hash)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if base64.b64decode(proof) != expected:
            return None
        self.is_over = True
        verifier = hmac.digest(hmac.digest(salted, b"Server Key", self._hash), message, self._hash)
        return b"v=" + base64.b64encode(verifier)


def _request(client: socket.socket) -> tuple[int, int, int, bytes]:
    (size,) = struct.unpack(">i", _exactly(client, 4))
    content = _exactly(client, size)
    key, version, number, name = struct.unpack(">hhih", content[:10])
    return key, version, number, content[10 + max(0, name) :]


def _exactly(client: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        piece = client.recv(size - len(content))
        if not piece:
            raise ConnectionError
        content += piece
    return content


def _answer(client: socket.socket, number: int, body: bytes) -> None:
    client.sendall(struct.pack(">ii", 4 + len(body), number) + body)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()
