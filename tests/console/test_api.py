"""The page's API: lines, searches, histograms, downloads and live tails as events, also for programs."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from tests.console.conftest import Site
from tests.testbed.server import Server
from tests.testbed.standin import Container, Engine
from tests.testbed.waiting import wait_until


class EventSource:
    """A client of a live tail, as a browser's: it keeps the id of the last event."""

    def __init__(self, site: Site, query: str, last_id: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
        self._connection.request("GET", f"/api/tail?{query}", headers={"Last-Event-ID": last_id} if last_id else {})
        self._answer = self._connection.getresponse()
        self.last_id = last_id
        assert self._answer.status == 200, self._answer.read()
        assert self._answer.getheader("Content-Type") == "text/event-stream; charset=utf-8"

    def events(self) -> Iterator[tuple[str, object]]:
        """Yield kind and content of each event, until the connection ends."""
        kind = ""
        while line := self._answer.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                content = json.loads(value)
            elif name == "id":
                self.last_id = value
            elif not name and kind:
                yield kind, content
                kind = ""

    def lines(self, count: int) -> list[str]:
        """Wait for so many lines."""
        found: list[str] = []
        for kind, content in self.events():
            if kind == "lines":
                found += [line["line"] for line in content]  # type: ignore[attr-defined]
            if len(found) >= count:
                break
        return found

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def container(site_engine: Engine) -> Container:
    return site_engine.run()


def printed(site: Site, container: Container, *lines: str, source: str = "stdout") -> None:
    """Have a container print, and wait until the page's server finds the last line."""
    container.print("".join(f"{line}\n" for line in lines).encode(), source)

    def is_found() -> bool:
        status, _, content = site.request("GET", f"/api/lines?container={container.id}&limit=1")
        return status == 200 and [line["line"] for line in json.loads(content)["lines"]] == [lines[-1]]

    wait_until(is_found, "the last line is found")


def test_lines_are_objects_as_those_of_the_command_line(site: Site, container: Container) -> None:
    printed(site, container, "ERROR one", "two")
    found = site.get("/api/lines", container=container.id)

    first, second = found["lines"]
    assert first["line"] == "ERROR one"
    assert first["level"] == "error"
    assert first["container_id"] == container.id
    assert first["stream"] == "stdout"
    assert "level" not in second
    assert first["offset"] < second["offset"]
    assert (found["more"], found["timed_out"]) == (False, False)


def test_the_newest_lines_come_in_order_and_older_ones_can_be_asked_for(site: Site, container: Container) -> None:
    printed(site, container, *map(str, range(10)))
    newest = site.get("/api/lines", container=container.id, limit=3)
    older = site.get("/api/lines", container=container.id, until=newest["lines"][0]["time"], limit=100)

    assert [line["line"] for line in newest["lines"]] == ["7", "8", "9"]
    assert newest["more"]
    assert [line["line"] for line in older["lines"]][:7] == [*map(str, range(7))]
    oldest = site.get("/api/lines", container=container.id, limit=2, order="oldest")
    assert [line["line"] for line in oldest["lines"]] == ["0", "1"]


def test_a_search_finds_with_what_is_around(site: Site, container: Container) -> None:
    printed(site, container, "a", "needle 1", "b", "needle 2", "c")
    found = site.get("/api/lines", container=container.id, q=r"needle \d", context=1)

    assert [line["line"] for line in found["lines"]] == ["needle 1", "needle 2"]
    assert [line["line"] for line in found["lines"][0]["before"]] == ["a"]
    assert [line["line"] for line in found["lines"][0]["after"]] == ["b"]
    inverted = site.get("/api/lines", container=container.id, q="needle", invert="true")
    assert [line["line"] for line in inverted["lines"]] == ["a", "b", "c"]


def test_levels_and_streams_choose(site: Site, container: Container) -> None:
    printed(site, container, "WARN w", "INFO i")
    printed(site, container, "ERROR e", source="stderr")

    assert [one["line"] for one in site.get("/api/lines", container=container.id, level="warn")["lines"]] == [
        "WARN w",
        "ERROR e",
    ]
    assert [one["line"] for one in site.get("/api/lines", container=container.id, stream="stderr")["lines"]] == [
        "ERROR e"
    ]


def test_a_histogram_counts_by_level(site: Site, container: Container) -> None:
    printed(site, container, "ERROR a", "INFO b", "c", "ERROR d")
    found = site.get("/api/histogram", container=container.id, buckets=10)
    sums: dict[str, int] = {}
    for span in found["spans"]:
        for level, count in span.items():
            sums[level] = sums.get(level, 0) + count

    assert sums == {"error": 2, "info": 1, "none": 1}
    assert len(found["spans"]) <= 10
    assert site.get("/api/histogram", container=container.id, q="never printed")["spans"] == []


def test_downloads_are_text_or_ndjson(site: Site, container: Container) -> None:
    printed(site, container, "a", "b\x1b[31m")
    _, headers, text = site.request("GET", f"/api/download?container={container.id}")
    _, _, ndjson = site.request("GET", f"/api/download?container={container.id}&format=ndjson")

    assert text == b"a\nb\x1b[31m\n"
    assert headers["content-disposition"] == 'attachment; filename="logs.txt"'
    assert [json.loads(line)["line"] for line in ndjson.splitlines()] == ["a", "b\x1b[31m"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("q=[", "'[' is not a regular expression (RE2 syntax): missing ]: ["),
        ("level=warm", "level: 'warm' is not a level (did you mean 'warn'?)"),
        ("stream=out", "stream: 'out' is neither stdout nor stderr"),
        ("since=yesterday", "since: 'yesterday' is not a time"),
        ("limit=0", "limit: "),
        ("limit=999999", "limit: "),
        ("limmit=1", "'limmit' is not a parameter (did you mean 'limit'?)"),
        ("order=up", "order: 'up' is not known"),
        ("q=a&invert=yes", "invert: 'yes' is neither true nor false"),
        ("container=nosuch", "no journal of a container 'nosuch'"),
        (f"q={'x' * 5000}", "q: the pattern has 5000 characters (at most 4096)"),
    ],
    ids=[
        "pattern",
        "level",
        "stream",
        "time",
        "zero",
        "too many",
        "name",
        "order",
        "flag",
        "container",
        "long pattern",
    ],
)
def test_parameters_that_make_no_sense_are_named(site: Site, query: str, message: str) -> None:
    status, _, content = site.request("GET", f"/api/lines?{query}")

    assert status == 400
    assert content.decode().startswith(message)


def test_a_live_tail_begins_with_the_last_lines_and_goes_on(site: Site, container: Container) -> None:
    printed(site, container, *map(str, range(5)))
    source = EventSource(site, f"container={container.id}&tail=2")
    assert source.lines(2) == ["3", "4"]
    container.print(b"5\n6\n")

    assert source.lines(2) == ["5", "6"]
    source.close()


def test_after_a_kill_a_tail_goes_on_without_a_gap(
    shared_console: tuple[Server, Site], site: Site, container: Container
) -> None:
    printed(site, container, "1")
    source = EventSource(site, f"container={container.id}&tail=10")
    container.print(b"2\n")
    assert source.lines(2) == ["1", "2"]
    shared_console[0].kill()
    wait_until(lambda: not site.is_up(), "the page's process has ended with it")
    shared_console[0].start()
    container.print(b"3\n4\n")
    wait_until(site.is_up, "the page answers again")
    again = EventSource(site, f"container={container.id}&tail=10", source.last_id)
    container.print(b"5\n")

    assert again.lines(3) == ["3", "4", "5"]
    again.close()
    source.close()


def test_a_tail_can_be_searched(site: Site, container: Container) -> None:
    printed(site, container, "before")
    source = EventSource(site, f"container={container.id}&tail=0&q=keep&level=info")
    container.print(b"INFO drop\nkeep without a level\nINFO keep\n")

    assert source.lines(1) == ["INFO keep"]
    source.close()


@pytest.mark.parametrize("place", ["x", "0" * 12 + ":zz"])
def test_a_place_that_was_never_given_is_refused(site: Site, container: Container, place: str) -> None:
    printed(site, container, "line")
    status, _, content = site.request("GET", f"/api/tail?container={container.id}", headers={"Last-Event-ID": place})

    assert status == 400
    assert b"Last-Event-ID" in content


def test_readers_that_never_read_hold_nobody_up(site: Site, container: Container) -> None:
    """Each has a socket buffer's worth and no more; what it misses it is told when it reads on."""
    printed(site, container, "before")
    stuck = []
    for _ in range(10):
        client = socket.create_connection(("127.0.0.1", site.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(f"GET /api/tail?container={container.id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        stuck.append(client)
    source = EventSource(site, f"container={container.id}&tail=0")
    for number in range(20):
        container.print(b"".join(b"%d %s\n" % (number, b"x" * 1000) for _ in range(200)))
    container.print(b"last\n")
    found = source.lines(4001)
    source.close()
    for client in stuck:
        client.close()

    assert found[-1] == "last"


def test_an_overview_has_the_containers_with_their_delivery(site: Site, site_engine: Engine) -> None:
    failing = site_engine.run({"http-url": "http://127.0.0.1:1/"})

    def seen() -> bool:
        (one,) = [one for one in site.get("/api/overview")["containers"] if one["container_id"] == failing.id]
        return bool(one["sinks"]) and one["sinks"][0]["lag_bytes"] > 0

    printed(site, failing, "line")
    wait_until(seen, "the overview shows what waits")
    wait_until(lambda: site.get("/api/overview")["destinations"], "the overview shows the destination")
    overview = site.get("/api/overview")
    assert overview["fault"] == ""
    assert [one["type"] for one in overview["destinations"]] == ["http"]
    assert "http-url" not in json.dumps(overview)
