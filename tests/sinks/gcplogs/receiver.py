"""Google Cloud for tests: Cloud Logging's entries.write, the token endpoint, and an instance's metadata server."""

import base64
import functools
import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.sinks.gcplogs.schema import InvalidError, check_entry, check_request
from tests.sinks.receiving.http import Reply, Request, http_application
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Protocol, Receiver
from tests.sinks.receiving.times import nanoseconds

LARGEST_REQUEST = 10 * 1024 * 1024
EMAIL = "peavey@shop-4711.iam.gserviceaccount.com"
_METADATA = "/computeMetadata/v1/"
_PARTIAL = "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors"


@functools.cache
def private_key() -> rsa.RSAPrivateKey:
    """Return the key of the service account of all tests."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def pem(form: str = "PKCS8") -> str:
    """Return the key as a file has it."""
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return private_key().private_bytes(encoding, getattr(serialization.PrivateFormat, form), plain).decode()


def service_account(port: int, **changes: str) -> str:
    """Return credentials whose token endpoint is a receiver's."""
    content = {
        "type": "service_account",
        "project_id": "shop-4711",
        "private_key_id": "k1",
        "private_key": pem(),
        "client_email": EMAIL,
        "token_uri": f"http://127.0.0.1:{port}/token",
    }
    return json.dumps(content | changes)


class GoogleCloud:
    """A project's log, and those who may write to it.

    ``entries``
        what is stored, by time and insert id: an entry that is there already is not another
    ``lifetime``
        seconds that tokens hold, which is not enforced: a test ends them by ``revoke``
    ``metadata``
        what the metadata server knows, by path; nothing where this is no instance
    ``faults``
        codes of google.rpc.Code for lines, by what is in them
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.lifetime = 3600.0
        self.metadata: dict[str, str] = {}
        self.faults: dict[str, int] = {}
        self.tokens = 0
        self._valid = ""
        self._lock = threading.Lock()

    def revoke(self) -> None:
        """Let the last token not hold any more."""
        self._valid = ""

    def lines(self) -> list[str]:
        """All lines in the order of their entries, those that were split put together."""
        shown = sorted(self.entries.items())
        return ["".join(_message(entry)) for _, entry in shown]

    def answer(self, receiver: Receiver, request: Request) -> Reply:
        """Answer one request."""
        if request.target.startswith(_METADATA):
            return self._tell(request)
        if request.target == "/token":
            return self._grant(request)
        if request.method != "POST" or request.target != "/v2/entries:write":
            return Reply(404, _fault(404, "NOT_FOUND", "Not found"))
        if request.headers["Authorization"] != f"Bearer {self._valid}" or not self._valid:
            return Reply(401, _fault(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."))
        if len(request.body) > LARGEST_REQUEST:
            reason = f"Request payload size exceeds the limit: {LARGEST_REQUEST} bytes."
            return Reply(400, _fault(400, "INVALID_ARGUMENT", reason))
        try:
            content = json.loads(request.body)
            check_request(content)
        except (ValueError, InvalidError) as error:
            return Reply(400, _fault(400, "INVALID_ARGUMENT", str(error)))
        with self._lock:
            return self._write(content, receiver.refused.decode())

    def _write(self, content: dict[str, Any], refused: str) -> Reply:
        self.requests.append(content)
        errors: dict[str, dict[str, Any]] = {}
        taken = []
        for place, entry in enumerate(content["entries"]):
            try:
                check_entry(entry)
                code = next((code for text, code in self.faults.items() if text in _message(entry)), 0)
                if code or (refused and refused in _message(entry)):
                    errors[str(place)] = {"code": code or 3, "message": "Log entry refused"}
                    continue
            except InvalidError as error:
                errors[str(place)] = {"code": 3, "message": str(error)}
                continue
            self.entries.setdefault((entry["timestamp"], entry["insertId"]), entry)
            taken.append(_received(entry))
        if not errors:
            return Reply(200, b"{}", taken)
        if not content.get("partialSuccess") or not taken:
            return Reply(400, _fault(400, "INVALID_ARGUMENT", next(iter(errors.values()))["message"]))
        detail = {"@type": _PARTIAL, "logEntryErrors": errors}
        return Reply(400, _fault(400, "INVALID_ARGUMENT", "Log entry refused", detail), taken)

    def _grant(self, request: Request) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form["grant_type"] == "refresh_token":
            good = form["refresh_token"] == "good"  # noqa: S105
        else:
            good = form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer" and self._is_signed(
                form["assertion"], f"http://{request.headers['Host']}/token"
            )
        if not good:
            return Reply(400, b'{"error":"invalid_grant","error_description":"Invalid JWT Signature."}')
        return Reply(200, self._token())

    def _token(self) -> bytes:
        self.tokens += 1
        self._valid = f"ya29.token-{self.tokens}"
        return json.dumps({"access_token": self._valid, "expires_in": self.lifetime, "token_type": "Bearer"}).encode()

    def _is_signed(self, assertion: str, audience: str) -> bool:
        head, claims, signature = assertion.split(".")
        signed = f"{head}.{claims}".encode()
        private_key().public_key().verify(_decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        assert json.loads(_decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
        told = json.loads(_decoded(claims))
        assert 0 < told["exp"] - told["iat"] <= 3600
        assert abs(told["iat"] - time.time()) < 3600
        scope = "https://www.googleapis.com/auth/logging.write"
        return (told["iss"], told["aud"], told["scope"]) == (EMAIL, audience, scope)

    def _tell(self, request: Request) -> Reply:
        if request.headers["Metadata-Flavor"] != "Google":
            return Reply(403)
        path = request.target.removeprefix(_METADATA)
        if not self.metadata:
            return Reply(404)
        if path == "instance/service-accounts/default/token":
            return Reply(200, self._token())
        return Reply(200, self.metadata[path].encode()) if path in self.metadata else Reply(404)


def _message(entry: Mapping[str, Any]) -> str:
    message: str = entry["jsonPayload"]["message"]
    return message


def _received(entry: Mapping[str, Any]) -> Received:
    payload: dict[str, Any] = entry["jsonPayload"]
    split: dict[str, int] = entry.get("split", {"index": 0, "totalSplits": 1})
    return Received(
        payload["container"]["name"].removeprefix("/"),
        payload["source"],
        payload["message"].encode(),
        nanoseconds(entry["timestamp"]),
        is_part=split["index"] + 1 < split["totalSplits"],
    )


def _fault(status: int, name: str, message: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": status, "message": message, "status": name, "details": details}}).encode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def google_cloud(cloud: GoogleCloud) -> Protocol:
    """Speak as Google Cloud does."""
    return http_application(cloud.answer)


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    port = int(address.rpartition(":")[2])
    return {
        "gcp-endpoint": f"http://{address}",
        "gcp-credentials": service_account(port),
        "gcp-meta-name": "node1",
        "gcp-timeout": "2m",
    }


PROTOCOL = google_cloud(GoogleCloud())
