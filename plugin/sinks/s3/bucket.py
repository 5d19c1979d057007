"""One bucket: signed requests that store objects, each unless it is there.

Protocol: "PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload" and "Conditional writes" in the
API reference and the user guide of Amazon S3.
"""

import base64
import contextlib
import html
import time
from collections.abc import Iterable, Mapping
from hashlib import md5
from http import HTTPStatus

from yarl import URL

from plugin.config.secrets import Secret
from plugin.sinks.base import RetryError, SinkError
from plugin.sinks.encoding.sigv4 import Credentials, body_hash, encode_path, encode_query, sign
from plugin.sinks.s3.answers import CredentialsError, UnconditionalError, completion_fault, elements, judge
from plugin.sinks.s3.options import S3Options
from plugin.sinks.transport.aws.credentials import AwsAccount
from plugin.sinks.transport.http.client import Answer, HttpClient

_REGION = "us-east-1"
"""What servers that are not Amazon's take where they have no regions."""
_CONTENT_TYPES = {"none": "application/x-ndjson", "gzip": "application/gzip", "zstd": "application/zstd"}
_UNLESS_THERE = {"If-None-Match": "*"}

Query = tuple[tuple[str, str], ...]


class Bucket:
    """The bucket that options name, with the account that requests are made as."""

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._account = AwsAccount(options.aws)
        self._part_size = options.part_size
        self._kept = {"Content-Type": _CONTENT_TYPES[options.compression]}
        if options.storage_class:
            self._kept["x-amz-storage-class"] = options.storage_class
        if options.encryption != "default":
            self._kept["x-amz-server-side-encryption"] = options.encryption
        if options.kms_key_id:
            self._kept["x-amz-server-side-encryption-aws-kms-key-id"] = options.kms_key_id
        self._is_conditional = True
        self._region = options.aws.region or _REGION
        self._url = options.bucket_url(self._region)
        self._client = self._new_client()

    async def put(self, key: str, content: bytes) -> None:
        """Store an object unless there is one of that key; returns when it is there. Raises as `judge` says.

        A server that does not know conditions gets the same content under the same key again.
        """
        is_conditional = self._is_conditional
        try:
            await self._put(key, content, _UNLESS_THERE if is_conditional else {})
        except UnconditionalError:
            if not is_conditional:
                raise
            self._is_conditional = False
            await self._put(key, content, {})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _put(self, key: str, content: bytes, condition: Mapping[str, str]) -> None:
        if len(content) > self._part_size:
            await self._put_in_parts(key, content, condition)
        else:
            await self._request("PUT", key, content, headers={**self._kept, **_digest(content), **condition})

    async def _put_in_parts(self, key: str, content: bytes, condition: Mapping[str, str]) -> None:
        """Upload parts, and have them put together; parts of an upload that fails are deleted, if that can be done."""
        answer = await self._request("POST", key, query=(("uploads", ""),), headers=self._kept)
        upload = elements(answer.body).get("UploadId")
        if not upload:
            raise RetryError(f"{self._url.site} began an upload and gave it no id")
        try:
            is_there = await self._upload(key, content, upload, condition)
        except SinkError:
            await self._abort(key, upload)
            raise
        if is_there:
            await self._abort(key, upload)

    async def _upload(self, key: str, content: bytes, upload: str, condition: Mapping[str, str]) -> bool:
        """Upload all parts and complete; return whether the object was there already."""
        parts = []
        for number, start in enumerate(range(0, len(content), self._part_size), 1):
            part = content[start : start + self._part_size]
            query = (("partNumber", str(number)), ("uploadId", upload))
            answer = await self._request("PUT", key, part, query, _digest(part))
            tag = answer.headers.get("ETag")
            if not tag:
                raise RetryError(f"{self._url.site} took a part of an upload and gave it no ETag")
            tag = html.escape(tag, quote=False)
            parts.append(f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
        document = (
            '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"{''.join(parts)}</CompleteMultipartUpload>"
        ).encode()
        headers = {"Content-Type": "application/xml", **condition}
        answer = await self._request("POST", key, document, (("uploadId", upload),), headers)
        if answer.status == HTTPStatus.PRECONDITION_FAILED:
            return True
        if fault := completion_fault(self._url.site, answer.headers, answer.body, self._account.secrets, time.time()):
            raise fault
        return False

    async def _abort(self, key: str, upload: str) -> None:
        with contextlib.suppress(SinkError):
            await self._request("DELETE", key, query=(("uploadId", upload),))

    async def _request(
        self, method: str, key: str, content: bytes = b"", query: Query = (), headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Sign and send a request; once more if the credentials are refused and there are others by now."""
        await self._go_to_region()
        used = await self._account.credentials()
        try:
            return await self._send(method, key, content, query, headers or {}, used)
        except CredentialsError:
            self._account.forget()
            renewed = await self._account.credentials()
            if renewed == used:
                raise
            return await self._send(method, key, content, query, headers or {}, renewed)

    async def _send(
        self, method: str, key: str, content: bytes, query: Query, headers: Mapping[str, str], credentials: Credentials
    ) -> Answer:
        target = self._url.target
        url = URL.build(
            scheme=target.scheme,
            authority=target.raw_authority,
            path=target.raw_path + encode_path(key),
            query_string=encode_query(query),
            encoded=True,
        )
        signed = sign(
            method,
            url,
            headers,
            body_hash(content),
            region=self._region,
            service="s3",
            credentials=credentials,
            now=time.time(),
            path_rules="s3",
        )
        return await self._client.request(content, url=url, method=method, headers={**headers, **signed})

    async def _go_to_region(self) -> None:
        """Find out which region it is, once; without an endpoint it is a part of the server's name."""
        region = await self._account.region(_REGION if self._options.endpoint else "")
        if region != self._region:
            await self._client.close()
            self._region = region
            self._url = self._options.bucket_url(region)
            self._client = self._new_client()

    def _new_client(self) -> HttpClient:
        return HttpClient(self._options.http.settings(self._url, {}), self._judge)

    def _judge(
        self, site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
    ) -> SinkError | None:
        return judge(site, status, headers, body, (*secrets, *self._account.secrets), time.time())


def _digest(content: bytes) -> dict[str, str]:
    """Return the header by which a server sees that a body arrived whole; with object lock, S3 demands it."""
    return {"Content-MD5": base64.b64encode(md5(content, usedforsecurity=False).digest()).decode()}
