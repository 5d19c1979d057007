"""The light client: it waits for whole answers, and does not take a refusal for a success."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.unix_http import AnswerError, UnixHttp, encode_request, is_complete

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Type: x\r\n\r\n{"Err":""}'


@contextmanager
def plugin(folder: Path, *pieces: bytes) -> Iterator[Path]:
    """Answer one request with these pieces, one after the other."""
    path = folder / "plugin.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                for piece in pieces:
                    connection.sendall(piece)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield path
        finally:
            thread.join()


def ask(path: Path) -> float:
    with UnixHttp(path) as client:
        return client.time(encode_request("LogDriver.StartLogging", {"File": "x"}))


def test_an_answer_is_complete_with_its_last_byte() -> None:
    assert [size for size in range(len(ANSWER) + 1) if is_complete(ANSWER[:size])] == [len(ANSWER)]


def test_it_waits_for_the_whole_answer(tmp_path: Path) -> None:
    with plugin(tmp_path, ANSWER[:20], ANSWER[20:-1], ANSWER[-1:]) as path:
        assert ask(path) > 0


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"Err":"full"}',
        b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}",
        ANSWER[:-1],
    ],
)
def test_a_refusal_or_half_an_answer_is_an_error(tmp_path: Path, answer: bytes) -> None:
    with plugin(tmp_path, answer) as path, pytest.raises(AnswerError):
        ask(path)
