"""Dead letters: a file that is bounded, to which delivery and ``peavey dead --again`` may add at the same time."""

import threading
from pathlib import Path

import pytest

from plugin.delivery import dead_letters
from plugin.delivery.dead_letters import appending, bury, dead_letters_path, read_letter
from plugin.records.record import Record


def refuse(folder: Path, *lines: bytes) -> None:
    for line in lines:
        bury(folder, "http", Record(None, "stdout", 1, line), "no", 2)


def lines_of(folder: Path) -> list[bytes]:
    letters = map(read_letter, dead_letters_path(folder, "http").read_bytes().splitlines())
    return [letter.content if letter else b"" for letter in letters]


def test_they_are_kept_in_order_whatever_their_bytes(tmp_path: Path) -> None:
    refuse(tmp_path, b"one", b"\xff\x00\n", b"")
    assert lines_of(tmp_path) == [b"one", b"\xff\x00\n", b""]


def test_of_too_many_the_older_half_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "_BOUND", 1_000)
    refuse(tmp_path, *(b"%03d" % number for number in range(100)))
    kept = lines_of(tmp_path)
    assert kept == [b"%03d" % number for number in range(100 - len(kept), 100)]
    assert 5 < len(kept) < 20


def test_what_another_process_adds_does_not_go_with_the_older_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dead_letters_path(tmp_path, "http")
    refuse(tmp_path, b"given back")
    given_back = path.read_bytes()
    refuse(tmp_path, *(b"before" for _ in range(9)))
    monkeypatch.setattr(dead_letters, "_BOUND", path.stat().st_size - 1)
    cutting = threading.Thread(target=refuse, args=(tmp_path, b"newest"))
    with appending(path) as file:
        cutting.start()
        cutting.join(0.2)  # it waits
        file.write(given_back)
    cutting.join()
    assert lines_of(tmp_path)[-2:] == [b"given back", b"newest"]


def test_a_nest_without_end_is_a_damaged_one() -> None:
    assert read_letter(b'{"a":' * 100_000) is None


def test_what_transforms_have_made_of_a_line_is_kept_with_it(tmp_path: Path) -> None:
    fields = {"order": 7, "deep": {"a": [1, None, "é"]}, "large": 2**64 - 1}
    record = Record("one", "stdout", 5, b"shaped", 10, 20, 20, fields=fields, severity=17)
    bury(tmp_path, "fake", record, "refused", 1)
    letter = read_letter(dead_letters_path(tmp_path, "fake").read_bytes().splitlines()[0])
    assert letter is not None
    again = letter.record("one")
    assert (again.line, again.fields, again.severity) == (b"shaped", fields, 17)
