"""Attachments: what is noted of a stream is there after a restart; a damaged note costs its own stream only."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.intake import attachments as module
from plugin.intake.attachments import Attachment, Attachments
from plugin.journal.regular_files import read_regular
from tests.intake.pump_harness import ONE, OTHER, info_of

DAMAGED = [
    b"",
    b"{",
    b"[]",
    b'{"file": "/f", "started": 1}',
    b'{"file": 7, "info": {"ContainerID": "ab"}, "started": 1}',
    b'{"file": "\xff"}',
    b'{"none": ' + b"[" * 5_000,
]


def attachment(name: str, started: int = 1, container: str = ONE) -> Attachment:
    return Attachment(file=f"/run/docker/logging/{name}", info=info_of(container, tag="x"), started=started)


def test_what_is_saved_is_found(tmp_path: Path) -> None:
    attachments = Attachments(tmp_path)
    attachments.save(attachment("a"))
    assert attachments.find("a") == attachment("a")
    assert attachments.find("b") is None


def test_all_are_loaded_oldest_first(tmp_path: Path) -> None:
    attachments = Attachments(tmp_path)
    for name, started in (("b", 3), ("c", 1), ("a", 2)):
        attachments.save(attachment(name, started))
    assert [found.name for found in attachments.load()] == ["c", "a", "b"]


def test_one_that_is_saved_again_is_replaced(tmp_path: Path) -> None:
    attachments = Attachments(tmp_path)
    attachments.save(attachment("a"))
    attachments.save(attachment("a", 2, OTHER))
    assert attachments.load() == [attachment("a", 2, OTHER)]


def test_one_that_is_removed_is_gone_and_may_be_removed_again(tmp_path: Path) -> None:
    attachments = Attachments(tmp_path)
    attachments.save(attachment("a"))
    attachments.remove("a")
    attachments.remove("a")
    assert attachments.load() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_one_is_told_and_set_aside_and_the_others_are_loaded(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    attachments = Attachments(tmp_path)
    attachments.save(attachment("good"))
    (tmp_path / "bad.json").write_bytes(content)

    scan = attachments.scan()
    assert (scan.found, scan.damaged, scan.unreadable) == ([attachment("good")], ["bad"], False)
    assert [record.getMessage() for record in caplog.records if "bad.json" in record.getMessage()]
    attachments.set_aside("bad")
    assert (tmp_path / "bad.damaged").read_bytes() == content
    caplog.clear()
    assert attachments.load() == [attachment("good")]
    assert not caplog.records


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_one_is_not_found(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    assert Attachments(tmp_path).find("bad") is None


@pytest.mark.parametrize("name", ["", "x" * 300, "a\0b", "..", "none"])
def test_a_name_that_no_attachment_can_have_is_not_found(tmp_path: Path, name: str) -> None:
    assert Attachments(tmp_path).find(name) is None


def test_one_whose_stream_ends_while_all_are_loaded_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attachments = Attachments(tmp_path)
    attachments.save(attachment("gone"))
    attachments.save(attachment("stays"))
    read = read_regular

    def read_bytes(path: Path) -> bytes:
        if path.name == "gone.json":
            attachments.remove("gone")
        return read(path)

    monkeypatch.setattr(module, "read_regular", read_bytes)
    assert attachments.load() == [attachment("stays")]
    assert not caplog.records


def test_one_that_cannot_be_saved_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attachments = Attachments(tmp_path)
    attachments.save(attachment("a"))

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(OSError, match="No space left"):
        attachments.save(attachment("a", 2))
    assert attachments.load() == [attachment("a")]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@given(st.text(st.characters(codec="utf-8")), st.dictionaries(st.text(st.characters(codec="utf-8")), st.text('ab\n"')))
def test_any_description_survives(name: str, config: dict[str, str]) -> None:
    sent = Attachment(
        file=f"/{name}", info=msgspec.structs.replace(info_of(), container_name=name, config=config), started=1
    )
    assert msgspec.json.decode(msgspec.json.encode(sent), type=Attachment) == sent


def test_one_that_cannot_be_read_now_is_not_taken_for_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise OSError(24, "Too many open files")

    attachments = Attachments(tmp_path)
    attachments.save(attachment("a"))
    monkeypatch.setattr(module, "read_regular", refuse)
    scan = attachments.scan()
    assert (scan.found, scan.damaged, scan.unreadable) == ([], [], True)


def test_a_folder_that_cannot_be_listed_may_hold_more(tmp_path: Path) -> None:
    assert Attachments(tmp_path / "missing").scan().unreadable


def test_a_fifo_in_place_of_one_is_damaged_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    Attachments(tmp_path).save(attachment("good"))
    os.mkfifo(tmp_path / "bad.json")
    scan = Attachments(tmp_path).scan()
    assert (scan.found, scan.damaged, scan.unreadable) == ([attachment("good")], ["bad"], False)
    assert Attachments(tmp_path).find("bad") is None
