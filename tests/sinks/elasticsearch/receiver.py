"""A server with Elasticsearch's bulk API, written from its reference, not from the sink.

Sources: "Bulk API" (actions, answer, ``filter_path``), "Create index API" (names), "Data streams" (only ``create``,
``@timestamp``), "Mapping limit settings" and "Ignore above" in Elasticsearch's reference, ``RestBulkAction`` and
``DocumentParser`` in elastic/elasticsearch.
"""

import json
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sinks.receiving.http import Reply, Request, http_application
from tests.sinks.receiving.received import Received
from tests.sinks.receiving.receiver import Protocol, Receiver
from tests.sinks.receiving.times import nanoseconds

LONGEST_ID = 512
LONGEST_KEYWORD = 32_766
MOST_FIELDS = 1_000
_INDEX = re.compile(r'(?![-_+])[^A-Z\\/*?"<>|\s,#:]{1,255}')
_TIMESTAMP = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


class Refused(Exception):  # noqa: N818
    """An item that is not taken."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.kind = kind


class Store:
    """The documents of a cluster, by index and id; data streams are those whose names begin with ``logs-``.

    ``denied``
        indices for which the user has no privileges
    ``missing``
        indices that are not there and not made by themselves
    ``busy``
        how many of the next items are answered by 429
    ``actions``
        how many items have been asked for, those that were refused or there already included
    """

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.denied: set[str] = set()
        self.missing: set[str] = set()
        self.busy = 0
        self.actions = 0
        self.conflicts = 0
        self._fields: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def messages(self, container: str = "web") -> list[str]:
        """The lines of one container, in the order in which they were first stored."""
        return [d["message"] for d in self.documents.values() if d["container"]["name"] == container]

    def answer(self, receiver: Receiver, request: Request) -> Reply:
        """Answer one request."""
        url = urlsplit(request.target)
        if request.method not in ("POST", "PUT") or not url.path.endswith("/_bulk"):
            return Reply(404, _fault(404, "no handler found", url.path))
        content_type = request.headers["Content-Type"].partition(";")[0]
        if content_type not in ("application/json", "application/x-ndjson"):
            return Reply(406, _fault(406, "media_type_header_exception", content_type))
        if not request.body.endswith(b"\n"):
            reason = r"The bulk request must be terminated by a newline [\n]"
            return Reply(400, _fault(400, "illegal_argument_exception", reason))
        items, taken = [], []
        try:
            with self._lock:
                for line, (action, content) in enumerate(_actions(request.body)):
                    item, received = self._create(action, content, receiver.refused, 2 * line + 1)
                    items.append({"create": item})
                    taken += received
        except ValueError as error:
            return Reply(400, _fault(400, "illegal_argument_exception", str(error)))
        answer = {"took": 3, "errors": any("error" in item["create"] for item in items), "items": items}
        wanted = parse_qs(url.query).get("filter_path")
        return Reply(200, json.dumps(_filtered(answer, wanted[0].split(",")) if wanted else answer).encode(), taken)

    def _create(self, action: Any, content: bytes, refused: bytes, line: int) -> tuple[dict[str, Any], list[Received]]:
        if list(action) != ["create"]:
            raise ValueError(f"Malformed action/metadata line [{line}], found {list(action)}")
        index, identifier = action["create"]["_index"], action["create"]["_id"]
        self.actions += 1
        head = {"_index": index, "_id": identifier}
        try:
            self._check_place(index, identifier)
            document = json.loads(content, object_pairs_hook=_object)
            self._check(index, document, refused)
            received = Received(
                document["container"]["name"],
                document["stream"],
                document["message"].encode(),
                nanoseconds(document["@timestamp"]),
            )
            if (index, identifier) in self.documents:
                self.conflicts += 1
                reason = f"[{identifier}]: version conflict, document already exists (current version [1])"
                return _failed(head, Refused(409, "version_conflict_engine_exception", reason)), []
        except Refused as error:
            return _failed(head, error), []
        self.documents[index, identifier] = document
        return {**head, "_version": 1, "result": "created", "_seq_no": 0, "_primary_term": 1, "status": 201}, [received]

    def _check_place(self, index: str, identifier: str) -> None:
        if index in self.denied:
            reason = f"action [indices:data/write/bulk[s]] is unauthorized for user [peavey] on indices [{index}]"
            raise Refused(403, "security_exception", reason)
        if not _INDEX.fullmatch(index) or len(index.encode()) > 255 or index in (".", ".."):
            raise Refused(400, "invalid_index_name_exception", f"Invalid index name [{index}]")
        if index in self.missing:
            raise Refused(404, "index_not_found_exception", f"no such index [{index}]")
        if not 0 < len(identifier.encode()) <= LONGEST_ID:
            raise Refused(400, "illegal_argument_exception", "id is too long, must be no longer than 512 bytes")
        if self.busy:
            self.busy -= 1
            raise Refused(429, "es_rejected_execution_exception", f"rejected execution of operation {self.actions}")

    def _check(self, index: str, document: dict[str, Any], refused: bytes) -> None:
        if refused and refused in document["message"].encode():
            raise Refused(400, "document_parsing_exception", "[1:80] failed to parse field [message]")
        if not isinstance(document.get("@timestamp"), str) or not _TIMESTAMP.fullmatch(document["@timestamp"]):
            raise Refused(400, "document_parsing_exception", "data stream timestamp field [@timestamp] is missing")
        stream = document.get("data_stream")
        if stream and "-".join(stream[part] for part in ("type", "dataset", "namespace")) != index:
            raise Refused(400, "document_parsing_exception", "[constant_keyword] field [data_stream.dataset]")
        fields = self._fields.get(index, set()) | {name for name, _ in _leaves(document)}
        for name, value in _leaves(document):
            if name != "message" and isinstance(value, str) and len(value.encode()) > LONGEST_KEYWORD:
                raise Refused(400, "document_parsing_exception", f"immense term in field [{name}]")
            for other in fields:
                if other.startswith(name + "."):
                    raise Refused(400, "document_parsing_exception", f"object mapping for [{name}] tried to parse")
        if len(fields) > MOST_FIELDS:
            raise Refused(400, "illegal_argument_exception", f"Limit of total fields [{MOST_FIELDS}] has been exceeded")
        self._fields[index] = fields


def _actions(body: bytes) -> Iterator[tuple[Any, bytes]]:
    lines = iter(body.split(b"\n")[:-1])
    for action in lines:
        yield json.loads(action, object_pairs_hook=_object), next(lines)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refused(400, "document_parsing_exception", "Duplicate field")
    for name in made:
        if name.startswith(".") or name.endswith(".") or not all(map(str.strip, name.split("."))):
            raise Refused(400, "document_parsing_exception", f"field name [{name}] cannot contain only whitespace")
    return made


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        yield name, value


def _failed(head: dict[str, Any], error: Refused) -> dict[str, Any]:
    return {**head, "status": error.status, "error": {"type": error.kind, "reason": str(error), "shard": "0"}}


def _fault(status: int, kind: str, reason: str) -> bytes:
    error = {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason}
    return json.dumps({"error": error, "status": status}).encode()


def _filtered(value: Any, paths: list[str]) -> Any:
    """Leave only what ``filter_path`` names: objects of which nothing is left go, too, also within arrays."""
    if isinstance(value, list):
        return [kept for kept in (_filtered(inner, paths) for inner in value) if kept]
    kept = {}
    for name, inner in value.items():
        below = [rest for first, _, rest in (path.partition(".") for path in paths) if first in (name, "*")]
        if "" in below:
            kept[name] = inner
        elif below and isinstance(inner, (dict, list)) and (some := _filtered(inner, below)):
            kept[name] = some
    return kept


def bulk_server(store: Store) -> Protocol:
    """Speak the bulk API over a store."""
    return http_application(store.answer)


def options_for(address: str) -> dict[str, str]:
    """Return the log-opts for a receiver at a host and port."""
    return {"elasticsearch-url": f"http://{address}", "elasticsearch-timeout": "2m"}


PROTOCOL = bulk_server(Store())
