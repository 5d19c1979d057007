"""The sink ``elasticsearch``: the bulk API of Elasticsearch and OpenSearch, and whatever else speaks it.

Protocol: "Bulk API" in Elasticsearch's reference.
"""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import replace

from plugin.config.secrets import Secret
from plugin.docker.tag import TagError
from plugin.sinks.base import MisconfiguredError, Origin, Record, RejectError, RetryError, Sink
from plugin.sinks.elasticsearch.answers import (
    FILTER_PATH,
    TAKEN,
    Kind,
    Verdict,
    is_success,
    judge,
    masked,
    read_verdicts,
)
from plugin.sinks.elasticsearch.encoder import PreparedDocuments, encode_bulk, prepare_documents
from plugin.sinks.elasticsearch.index_names import index_name
from plugin.sinks.elasticsearch.options import ElasticsearchOptions
from plugin.sinks.encoding.bounds import Bounds, bounded
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.url import HttpUrl

# Some 30 bytes for each document that is taken, a few hundred for one that is not.
_LARGEST_ANSWER = 16 << 20
_GZIP_LEVEL = 1  # what is the same in all documents is nearly nothing at any level

_PATH = "/_bulk"

# An index takes 1,000 fields (index.mapping.total_fields.limit) of all containers, and a keyword 32,766 bytes.
_ATTRIBUTES = Bounds(size=64 * 1024, value=8_000, count=120)


class ElasticsearchSink(Sink[PreparedDocuments]):
    """Creates documents by id; acknowledged item by item.

    Of a batch that was taken in part, it remembers what was taken and what was refused: the batch comes again, whole
    or in halves, and only what is left of it is sent.
    """

    declaration = ElasticsearchOptions

    def __init__(self, options: ElasticsearchOptions) -> None:
        """Take the options; see `Sink`."""
        self._label = f"{options.name}@{options.destination}"
        self._index = options.index
        self._is_gzip = options.compression == "gzip"
        headers = {"Content-Type": "application/x-ndjson"}
        if self._is_gzip:
            headers["Content-Encoding"] = "gzip"
        settings = options.http.settings(_bulk_url(options.url, options.pipeline), headers, options.headers)
        if (key := options.api_key) is not None:
            encoded = _encoded(key)
            authorization = Secret(f"ApiKey {encoded.reveal()}")
            settings = replace(settings, authorization=authorization, secrets=(*settings.secrets, key, encoded))
        self._site = settings.url.site
        self._secrets = tuple(filter(None, (*settings.secrets, settings.authorization, settings.url.password)))
        self._client = HttpClient(settings, judge, _LARGEST_ANSWER)
        self._verdicts: dict[bytes, Verdict] = {}

    def prepare(self, origin: Origin) -> PreparedDocuments:
        """Make what is the same for all documents of a container.

        Raises `MisconfiguredError` if the index cannot be named for this container.
        """
        try:
            index = index_name(self._index.render(origin.info))
        except TagError as error:
            raise MisconfiguredError(f"log-opt 'elasticsearch-index': {error}") from error
        return prepare_documents(bounded(origin, self._label, _ATTRIBUTES), index)

    def encode(self, records: Sequence[Record]) -> bytes:
        """Encode a bulk request, compressed where asked for."""
        return self._packed(encode_bulk(records))

    async def send(self, payload: bytes) -> None:
        """Send; returns when each document is stored, now or before."""
        items: list[tuple[bytes, bytes]] = []
        known: dict[bytes, Verdict] = {}
        if self._verdicts:
            items = self._items(payload)
            known = {action: verdict for action, _ in items if (verdict := self._verdicts.get(action))}
        if not known:
            self._verdicts.clear()  # those of an earlier batch
            await self._post(payload)
            self._verdicts.clear()
            return
        if rest := [item for item in items if item[0] not in known]:
            await self._post(self._packed(b"".join([b"%b\n%b\n" % item for item in rest])))
            self._verdicts.update((action, TAKEN) for action, _ in rest)
        for action, verdict in known.items():
            if verdict.kind is Kind.REFUSED:
                if len(items) == 1:  # it is a dead letter now, and is asked for again if it comes again
                    del self._verdicts[action]
                raise RejectError(self._said(verdict))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _post(self, payload: bytes) -> None:
        """Send a request, and note its verdicts if it was not taken as a whole."""
        answer = await self._client.send(payload)
        if is_success(answer):
            return
        verdicts = read_verdicts(answer)
        if verdicts is None:
            if len(answer) >= _LARGEST_ANSWER:
                raise RetryError(f"{self._site} answered more than {_LARGEST_ANSWER} bytes")
            raise MisconfiguredError(
                f"{self._site} did not answer as the bulk API does: check the URL (log-opt elasticsearch-url)"
            )
        items = self._items(payload)
        if len(verdicts) != len(items):
            raise RetryError(f"{self._site} did not answer for each document")
        # What is to be tried again, or cannot be judged before something is set right, has no verdict yet.
        self._verdicts.update(
            (action, verdict)
            for (action, _), verdict in zip(items, verdicts, strict=True)
            if verdict.kind in (Kind.TAKEN, Kind.REFUSED)
        )
        self._raise(verdicts)

    def _raise(self, verdicts: Sequence[Verdict]) -> None:
        """Raise what is the worst of verdicts, nothing if all are taken."""
        first: dict[Kind, Verdict] = {}
        for verdict in verdicts:
            first.setdefault(verdict.kind, verdict)
        if fault := first.get(Kind.MISCONFIGURED):
            raise MisconfiguredError(self._said(fault))
        if fault := first.get(Kind.AGAIN):
            raise RetryError(f"{self._said(fault)}, for some of the documents")
        if fault := first.get(Kind.REFUSED):
            raise RejectError(self._said(fault))

    def _said(self, verdict: Verdict) -> str:
        return f"{self._site} answered {masked(verdict.reason, self._secrets)}"

    def _items(self, payload: bytes) -> list[tuple[bytes, bytes]]:
        """Take a request apart into actions and documents, neither of which holds a newline."""
        lines = (zlib.decompress(payload, wbits=31) if self._is_gzip else payload).split(b"\n")
        return list(zip(lines[0:-1:2], lines[1:-1:2], strict=True))

    def _packed(self, request: bytes) -> bytes:
        return zlib.compress(request, _GZIP_LEVEL, wbits=31) if self._is_gzip else request


def _bulk_url(url: HttpUrl, pipeline: str) -> HttpUrl:
    path = url.target.raw_path.rstrip("/")
    query = [*url.target.query.items(), *([("pipeline", pipeline)] if pipeline else []), ("filter_path", FILTER_PATH)]
    target = url.target.with_path(path if path.endswith(_PATH) else path + _PATH, encoded=True)
    return replace(url, target=target.with_query(query))


def _encoded(key: Secret) -> Secret:
    """Return an API key as it is sent: base64 of id and key, which it may be already."""
    text = key.reveal().strip()
    return Secret(base64.b64encode(text.encode()).decode() if ":" in text else text)


SINK = ElasticsearchSink
