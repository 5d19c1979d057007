"""Arrivals: each line that says when it was printed is timed once, by whatever way it comes."""

import http.client
import subprocess
import sys
import time

import pytest

from bench.arriving import Arrivals, LineSplitter, NotArrivedError, followed, received_by_http
from bench.ticking import outermost


@pytest.mark.parametrize("size", [1, 3, 100])
def test_lines_are_put_together_of_pieces_of_any_size(size: int) -> None:
    splitter = LineSplitter()
    text = b"123\n\n45678\n9"
    found = [line for at in range(0, len(text), size) for line in splitter.feed(text[at : at + size])]
    assert found == [b"123", b"", b"45678"]


def test_what_a_process_prints_is_timed() -> None:
    program = "import time\nfor _ in range(3): print(time.monotonic_ns(), flush=True)\ntime.sleep(600)"
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, bufsize=0)
    with followed(process) as arrivals:
        latencies = arrivals.wait_for(3, 120)
    assert process.poll() is not None
    assert len(latencies) == 3
    assert all(0 < latency < time.monotonic() - begun for latency in latencies)


def test_what_comes_by_http_is_timed_line_by_line() -> None:
    moment = time.monotonic_ns()
    body = b'{"timestamp":"2023-11-14T22:13:20Z","log":"%d"}\n{"log":"%d","id":"1"}\n' % (
        moment,
        moment - 1_000_000_000,
    )
    with received_by_http() as (port, arrivals):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/", body)
        assert connection.getresponse().read() == b""
        connection.close()
        first, second = arrivals.wait_for(2, 120)
    assert second - first == pytest.approx(1.0)


def test_lines_that_do_not_come_are_missed() -> None:
    arrivals = Arrivals()
    arrivals.note([b"1"])
    with pytest.raises(NotArrivedError, match="1 of 2 lines"):
        arrivals.wait_for(2, 0)


def test_folders_within_others_are_left_out() -> None:
    assert outermost(["/usr", "/usr/local", "/usrlocal", "/opt/python/bin", "/opt/python"]) == {
        "/usr",
        "/usrlocal",
        "/opt/python",
    }
