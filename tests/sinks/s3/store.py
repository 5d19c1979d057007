"""A bucket that enforces what S3 enforces: signatures (computed by botocore), digests, conditions, rules of uploads.

Source of its rules: the pages of PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload,
AbortMultipartUpload and "Error responses" in the API reference of Amazon S3.
"""

import base64
import hashlib
import re
import threading
import zlib
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

import orjson
import zstandard
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY_ID, SECRET_KEY = "AKIATESTING", "testing-secret-key"
SMALLEST_PART = 5 * 1024 * 1024
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=([^,]+), Signature=(\w{64})"
)
_ALLOWED_SKEW = timedelta(minutes=15)
HANG_UP = "hang up before anything is stored"
LOSE = "store it, and hang up without an answer"


class Refusal(Exception):  # noqa: N818 (it is an answer)
    """An answer with an error's document."""

    def __init__(self, status: int, code: str, elements: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.headers = headers or {}
        self.body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>why &amp; what</Message>'
            f"{elements}<RequestId>{id(self):x}</RequestId></Error>"
        ).encode()


Fault = Refusal | str


class Store:
    """The bucket ``logs``, by path or by name, at a port of the loopback.

    ``faults``
        what becomes of the next requests, in turn: `HANG_UP`, `LOSE`, a `Refusal`; empty for nothing
    ``stored``
        is called with the number of objects after each that was stored, in front of its answer
    ``writes``
        how often each key was written
    """

    def __init__(self) -> None:
        self.key_id, self.secret, self.token, self.region = KEY_ID, SECRET_KEY, "", "us-east-1"
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.faults: deque[Fault] = deque()
        self.stored: Callable[[int], None] = lambda _: None
        self.is_conditional = True
        self.largest = 1 << 40
        self.objects: dict[str, bytes] = {}
        self.writes: Counter[str] = Counter()
        self.kept: dict[str, dict[str, str]] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.store = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """Return the lines of all objects, by key."""
        return {key: lines_of(key, content) for key, content in sorted(self.objects.items())}

    def serve(self, request: "_Handler", content: bytes) -> tuple[int, dict[str, str], bytes]:
        """Check a request and do what it asks for; return status, headers and body."""
        path, _, query = request.path.partition("?")
        parameters = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        self._check_signature(request, content)
        if request.headers["Host"].startswith("logs."):
            path = f"/logs{path}"
        if not path.startswith("/logs/"):
            raise Refusal(404, "NoSuchBucket")
        key = unquote(path.removeprefix("/logs/"))
        if len(key.encode()) > 1024 or not key:
            raise Refusal(400, "KeyTooLongError")
        if len(content) > self.largest:
            raise Refusal(413, "EntityTooLarge")
        if (digest := request.headers["Content-MD5"]) is not None and base64.b64decode(digest) != _md5(content):
            raise Refusal(400, "BadDigest")
        condition = request.headers["If-None-Match"]
        if condition is not None and not self.is_conditional:
            raise Refusal(501, "NotImplemented")
        kept = {name.lower(): value for name, value in request.headers.items()}
        with self.lock:
            match request.command, sorted(parameters):
                case "PUT", []:
                    assert digest is not None
                    return self._keep(key, content, condition, kept)
                case "POST", ["uploads"]:
                    upload = f"upload/{len(self.uploads)}+{key[-20:]}&"
                    self.uploads[upload] = (key, {})
                    self.kept[key] = kept
                    name = upload.replace("&", "&amp;")
                    return 200, {}, f"<R><Bucket>logs</Bucket><UploadId>{name}</UploadId></R>".encode()
                case "PUT", ["partNumber", "uploadId"]:
                    assert digest is not None
                    self._upload(parameters["uploadId"], key)[int(parameters["partNumber"])] = content
                    return 200, {"ETag": f'"{_md5(content).hex()}"'}, b""
                case "POST", ["uploadId"]:
                    return self._complete(parameters["uploadId"], key, content, condition)
                case "DELETE", ["uploadId"]:
                    self._upload(parameters["uploadId"], key)
                    del self.uploads[parameters["uploadId"]]
                    return 204, {}, b""
        raise Refusal(405, "MethodNotAllowed")

    def _keep(
        self, key: str, content: bytes, condition: str | None, kept: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        if condition is not None and key in self.objects:
            raise Refusal(412, "PreconditionFailed", "<Condition>If-None-Match</Condition>")
        self.objects[key] = content
        self.kept[key] = kept
        self.writes[key] += 1
        return 200, {"ETag": f'"{_md5(content).hex()}"'}, b""

    def _upload(self, upload: str, key: str) -> dict[int, bytes]:
        if upload not in self.uploads or self.uploads[upload][0] != key:
            raise Refusal(404, "NoSuchUpload")
        return self.uploads[upload][1]

    def _complete(
        self, upload: str, key: str, document: bytes, condition: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        parts = self._upload(upload, key)
        name = "{http://s3.amazonaws.com/doc/2006-03-01/}"
        listed = [
            (int(part.findtext(f"{name}PartNumber", "")), part.findtext(f"{name}ETag"))
            for part in ET.fromstring(document)  # noqa: S314 (the sink wrote it)
        ]
        if listed != sorted(listed) or any(f'"{_md5(parts[number]).hex()}"' != tag for number, tag in listed):
            raise Refusal(400, "InvalidPart")
        if any(len(parts[number]) < SMALLEST_PART for number, _ in listed[:-1]):
            raise Refusal(400, "EntityTooSmall")
        self._keep(key, b"".join(parts[number] for number, _ in listed), condition, self.kept[key])
        del self.uploads[upload]
        return 200, {}, b"<CompleteMultipartUploadResult><Key>x</Key></CompleteMultipartUploadResult>"

    def _check_signature(self, request: "_Handler", content: bytes) -> None:
        found = _AUTHORIZATION.fullmatch(request.headers["Authorization"] or "")
        if found is None:
            raise Refusal(403, "AccessDenied")
        key_id, day, region, signed, signature = found.groups()
        if key_id != self.key_id:
            raise Refusal(403, "InvalidAccessKeyId")
        if region != self.region:
            raise Refusal(400, "AuthorizationHeaderMalformed", f"<Region>{self.region}</Region>")
        if (request.headers["X-Amz-Security-Token"] or "") != self.token:
            raise Refusal(400, "ExpiredToken")
        moment = request.headers["X-Amz-Date"]
        sent = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        now = self.clock()
        if abs(now - sent) > _ALLOWED_SKEW or not moment.startswith(day):
            raise Refusal(403, "RequestTimeTooSkewed", f"<ServerTime>{now:%Y-%m-%dT%H:%M:%SZ}</ServerTime>")
        if request.headers["X-Amz-Content-SHA256"] != hashlib.sha256(content).hexdigest():
            raise Refusal(400, "XAmzContentSHA256Mismatch")
        names = signed.split(";")
        unsigned = {name.lower() for name in request.headers} - set(names)
        assert not {name for name in unsigned if name.startswith("x-amz-") or name in ("host", "content-md5")}
        of_request = AWSRequest(
            request.command,
            f"http://{request.headers['Host']}{request.path}",
            {name: request.headers[name] for name in names},
        )
        of_request.context["timestamp"] = moment
        auth = S3SigV4Auth(Credentials(self.key_id, self.secret, self.token or None), "s3", region)
        text = auth.string_to_sign(of_request, auth.canonical_request(of_request))
        if auth.signature(text, of_request) != signature:
            raise Refusal(403, "SignatureDoesNotMatch")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        store: Store = self.server.store  # type: ignore[attr-defined]
        content = self.rfile.read(int(self.headers["Content-Length"] or 0))
        with store.lock:
            fault = store.faults.popleft() if store.faults else ""
        if fault == HANG_UP:
            self.close_connection = True
            return
        before = len(store.objects)
        try:
            if isinstance(fault, Refusal):
                raise fault
            status, headers, body = store.serve(self, content)
        except Refusal as refusal:
            status, headers, body = refusal.status, refusal.headers, refusal.body
        store.requests.append((self.command, urlsplit(self.path).query, status))
        if len(store.objects) > before:
            store.stored(len(store.objects))
        if fault == LOSE:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    do_POST = do_DELETE = do_PUT  # noqa: N815 (named by their base)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def lines_of(key: str, content: bytes) -> list[dict[str, Any]]:
    """Read the lines of an object."""
    if key.endswith(".zst"):
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    elif key.endswith(".gz"):
        content = zlib.decompress(content, wbits=31)
    return [orjson.loads(line) for line in content.splitlines()]


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()
