"""A server of the tests that speaks ClickHouse's HTTP interface; behind it is chdb, ClickHouse in this process."""

import base64
import contextlib
import signal
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import zstandard

_OURS = ("query", "wait_end_of_query", "async_insert")
# As the server's `exceptionCodeToHTTPStatus`.
_STATUSES = {516: 401, 497: 403, 60: 404, 81: 404, 16: 404, 47: 404, 241: 500, 252: 500}


class ClickHouse:
    """ClickHouse behind HTTP, for one user; ``lose`` answers of the next inserts are lost, though they are done."""

    def __init__(self) -> None:
        self._session = _open_session()
        self._lock = threading.Lock()
        self.user = ("default", "")
        self.lose = 0
        self.behind_200 = False
        self.inserts = 0
        handler = type("Handler", (_Handler,), {"clickhouse": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def run(self, sql: str) -> None:
        """Run a statement."""
        with self._lock:
            self._session.query(sql)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        with self._lock:
            answer = str(self._session.query(sql, "JSONEachRow"))
        return [orjson.loads(line) for line in answer.splitlines()]

    def insert(self, query: str, settings: dict[str, str], rows: bytes) -> None:
        """Insert rows, with the settings of a request."""
        written = ", ".join(f"{name} = '{value}'" for name, value in settings.items())
        begin, form, _ = query.partition(" FORMAT ")
        assert form
        with self._lock:
            self._session.query(f"{begin} SETTINGS {written} FORMAT JSONEachRow {rows.decode()}")
            self.inserts += 1

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._session.close()


def _open_session() -> Any:
    """Load ClickHouse, and undo that it blocks SIGPIPE, also in all that this process starts, such as an engine.

    `yes | head` in a container of such an engine never ends.
    """
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        from chdb.session import Session  # noqa: PLC0415 (it takes time, and 180 MB)

        return Session()  # type: ignore[no-untyped-call]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    clickhouse: ClickHouse

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.headers.get("Content-Encoding"):
            case "zstd":
                body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
            case "gzip":
                body = zlib.decompress(body, wbits=31)
        parameters = dict(parse_qsl(urlsplit(self.path).query, strict_parsing=True))
        database = parameters.pop("database", "")
        assert not database
        if self._user() != self.clickhouse.user:
            self._answer(401, b"Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)", 516)
            return
        settings = {name: value for name, value in parameters.items() if name not in _OURS}
        try:
            self.clickhouse.insert(parameters["query"], settings, body)
        except Exception as error:  # noqa: BLE001 (there are two classes of the name ChdbError)
            code = int(str(error).partition("Code: ")[2].partition(".")[0])
            if self.clickhouse.behind_200:
                self._answer(200, b"\r\n__exception__\r\n" + str(error).encode())
            else:
                self._answer(_STATUSES.get(code, 400), str(error).encode(), code)
            return
        if self.clickhouse.lose:
            self.clickhouse.lose -= 1
            self.close_connection = True
            return
        self._answer(200, b"")

    def _user(self) -> tuple[str, str]:
        _, _, credentials = self.headers.get("Authorization", "").partition(" ")
        user, _, password = base64.b64decode(credentials).decode().partition(":")
        return user or "default", password

    def _answer(self, status: int, body: bytes, code: int = 0) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def clickhouse() -> Iterator[ClickHouse]:
    """ClickHouse, which there can be one of in a process."""
    server = ClickHouse()
    try:
        yield server
    finally:
        server.close()
