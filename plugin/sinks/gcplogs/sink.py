"""``gcplogs``: Google Cloud Logging, by the method entries.write of its API v2.

Reference: https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/write.
"""

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote as percent_encoded

import orjson

from plugin.config.secrets import Secret, read_secret
from plugin.sinks.base import MisconfiguredError, Origin, Record, RejectError, RetryError, Sink, SinkError
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.gcplogs.answers import INVALID_ARGUMENT, SETUP_CODES, EntryErrors, UnauthorizedError, judge
from plugin.sinks.gcplogs.credentials import AuthorizedUser, ServiceAccount, parse_credentials
from plugin.sinks.gcplogs.encoder import (
    BETWEEN_ENTRIES,
    BETWEEN_RECORDS,
    OPENING,
    PreparedEntries,
    encode_entries,
    prepare_entries,
)
from plugin.sinks.gcplogs.instance import Machine, MetadataServer
from plugin.sinks.gcplogs.options import GcplogsOptions
from plugin.sinks.gcplogs.tokens import CredentialTokens, Tokens, instance_tokens
from plugin.sinks.transport.http.client import HttpClient

_PATH = "/v2/entries:write"
_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_LARGEST_REQUEST = 9_500_000
"""Bytes of the entries of a request, of which all is at most 10 MB."""
_LARGEST_ANSWER = 8 << 20
_GZIP_LEVEL = 1  # what is the same in all entries is nearly nothing at any level
_ATTRIBUTES = Bounds(size=48 * 1024, value=32 * 1024)


class GcplogsSink(Sink[PreparedEntries]):
    """The log of a project.

    Of a request that was taken in part, it remembers what was taken and what was refused: the batch comes again in
    pieces, and only what is left of it is sent.
    """

    declaration = GcplogsOptions

    def __init__(self, options: GcplogsOptions) -> None:
        """Take the options; see `Sink`."""
        self._label = f"gcplogs@{options.destination}"
        self._has_command = options.log_cmd
        self._is_gzip = options.compression == "gzip"
        headers = {"Content-Type": "application/json", **({"Content-Encoding": "gzip"} if self._is_gzip else {})}
        settings = options.connection.settings(options.endpoint.with_default_path(_PATH), headers)
        credentials = options.credentials or _credentials_of_environment()
        self._site = settings.url.site
        self._client = HttpClient(settings, self._judge, _LARGEST_ANSWER)
        self._token = Secret("")
        of_metadata = options.connection.settings(options.metadata_url, {"Metadata-Flavor": "Google"})
        self._metadata = MetadataServer(of_metadata)
        self._tokens: Tokens
        if credentials is None:
            self._tokens = instance_tokens(self._metadata, options.metadata_url.site)
        else:
            of_tokens = options.connection.settings(
                credentials.token_url, {"Content-Type": "application/x-www-form-urlencoded"}
            )
            self._tokens = CredentialTokens(credentials, replace(of_tokens, secrets=credentials.secrets))
        self._project = options.project or (credentials.project if credentials else "")
        self._log = percent_encoded(options.log_name, safe="")
        self._given = Machine(options.meta_zone, options.meta_name, options.meta_id)
        self._frame: tuple[bytes, bytes, bytes] | None = None
        self._verdicts: dict[bytes, str] = {}

    def prepare(self, origin: Origin) -> PreparedEntries:
        """Make what is the same for all entries of a container."""
        return prepare_entries(bounded(origin, self._label, _ATTRIBUTES), has_command=self._has_command)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode entries, but for what only the instance knows."""
        return encode_entries(records)

    async def send(self, payload: bytes) -> None:
        """Send the entries, as many requests as it takes; returns when all are taken.

        Raises `RejectError` with the place of the first record that is refused.
        """
        records = payload.split(BETWEEN_RECORDS) if payload else []
        if self._verdicts and not any(record in self._verdicts for record in records):
            self._verdicts.clear()  # those of an earlier batch
        frame = self._frame or await self._learn_frame() if records else (b"", b"", b"")
        fault: MisconfiguredError | RetryError | None = None
        for chunk in _chunks([record for record in records if record not in self._verdicts]):
            fault = await self._post(frame, chunk)
            if fault is not None:
                break
        refused = next((place for place, record in enumerate(records) if self._verdicts.get(record)), None)
        if fault is not None:
            raise fault
        if refused is not None:
            reason = self._verdicts[records[refused]]
            if len(records) == 1:  # it is a dead letter now, and is asked for again if it comes again
                del self._verdicts[records[0]]
            raise RejectError(f"{self._site} answered {reason}", refused, took_those_before=True)
        self._verdicts.clear()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._metadata.close()
        if isinstance(self._tokens, CredentialTokens):
            await self._tokens.close()

    async def _post(
        self, frame: tuple[bytes, bytes, bytes], records: list[bytes]
    ) -> MisconfiguredError | RetryError | None:
        """Send one request, and note what became of its records if that differs."""
        opening, between, closing = frame
        entries = [entry for record in records for entry in record.split(BETWEEN_ENTRIES)]
        body = b"".join((opening, between.join(entries), closing))
        try:
            await self._authorized(zlib.compress(body, _GZIP_LEVEL, wbits=31) if self._is_gzip else body)
        except EntryErrors as error:
            return self._note(records, error)
        self._verdicts.update(dict.fromkeys(records, ""))
        return None

    async def _authorized(self, body: bytes) -> None:
        """Send a request with a token; one that is not accepted is not used again."""
        self._token = await self._tokens.token()
        try:
            await self._client.send(body, headers={"Authorization": f"Bearer {self._token.reveal()}"})
        except UnauthorizedError:
            self._tokens.forget()
            raise

    def _judge(
        self, site: str, status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
    ) -> SinkError | None:
        return judge(site, status, headers, body, (*secrets, self._token))

    def _note(self, records: list[bytes], error: EntryErrors) -> MisconfiguredError | RetryError | None:
        """Note the verdicts on records, and return what keeps some from being judged."""
        fault: MisconfiguredError | RetryError | None = None
        place = 0
        for record in records:
            count = record.count(BETWEEN_ENTRIES) + 1
            faults = [error.faults[at] for at in range(place, place + count) if at in error.faults]
            place += count
            if not faults:
                self._verdicts[record] = ""
            elif invalid := next((message for code, message in faults if code == INVALID_ARGUMENT), None):
                self._verdicts[record] = f"400 {invalid}"
            elif fault is None:
                code, message = faults[0]
                said = f"{self._site} answered {message or error} (code {code}), for some of the entries"
                fault = MisconfiguredError(said) if code in SETUP_CODES else RetryError(said)
        return fault

    async def _learn_frame(self) -> tuple[bytes, bytes, bytes]:
        """Make what is around the entries of a request, and between them; asks the instance for what is not given."""
        machine = self._given
        if not machine.is_known and await self._metadata.is_there():
            machine = await self._metadata.machine()
        project = self._project
        if not project:
            try:
                project = await self._metadata.project()
            except RetryError as error:
                raise MisconfiguredError(
                    f"no project is given, and there is no metadata server to ask: give gcp-project ({error})"
                ) from error
        instance = {name: v for name, v in (("zone", machine.zone), ("name", machine.name), ("id", machine.id)) if v}
        labels = {"project_id": project, "instance_id": machine.id, "zone": machine.zone}
        resource = {"type": "gce_instance", "labels": labels}
        if not instance:
            resource = {"type": "global", "labels": {"project_id": project}}
        head = {
            "logName": f"projects/{project}/logs/{self._log}",
            "resource": resource,
            "partialSuccess": True,
        }
        opening = OPENING + (b'"instance":%b,' % orjson.dumps(instance) if instance else b"")
        self._frame = (b'%b,"entries":[%b' % (orjson.dumps(head)[:-1], opening), b"," + opening, b"]}")
        return self._frame


def _chunks(records: list[bytes]) -> Iterator[list[bytes]]:
    """Yield records in as many pieces as requests are needed."""
    chunk: list[bytes] = []
    size = 0
    for record in records:
        length = len(record) + 512 * (record.count(BETWEEN_ENTRIES) + 1)  # with the machine's fields
        if chunk and size + length > _LARGEST_REQUEST:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += length
    if chunk:
        yield chunk


def _credentials_of_environment() -> ServiceAccount | AuthorizedUser | None:
    """Read the credentials that the environment names."""
    name = os.environ.get(_VARIABLE)
    if not name:
        return None
    try:
        return parse_credentials(read_secret(name))
    except ValueError as error:
        raise MisconfiguredError(f"{_VARIABLE}: {error}") from error


SINK = GcplogsSink
