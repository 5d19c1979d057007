"""Who may deliver what at the same time: no container is ever delivered by two."""

import itertools
import threading
from pathlib import Path

import pytest

from plugin.delivery.sharding import Share, claimed, parse_share
from plugin.errors import JournalError, SettingError
from plugin.journal.layout import DataFolder
from tests.testbed.descriptors import open_descriptors


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    folder.create()
    return folder


def test_shares_are_read() -> None:
    assert [parse_share(text) for text in ("0/1", "1/2")] == [Share(0, 1), Share(1, 2)]


@pytest.mark.parametrize("text", ["", "1", "1/1", "-1/2", "a/b", "0/0", "1/2/3"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="is not a share"):
        parse_share(text)


def test_all_shares_of_one_number_can_be_had_at_once(data: DataFolder) -> None:
    with claimed(data, Share(0, 3)), claimed(data, Share(1, 3)), claimed(data, Share(2, 3)):
        pass


def test_a_share_cannot_be_had_twice(data: DataFolder) -> None:
    with claimed(data, Share(1, 2)), pytest.raises(JournalError, match="another process delivers share 1/2"):  # noqa: SIM117
        with claimed(data, Share(1, 2)):
            pass
    with claimed(data, Share(1, 2)):
        pass


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations([Share(0, 1), Share(1, 2), Share(2, 3)], 2)))
def test_shares_of_different_numbers_exclude_one_another(data: DataFolder, first: Share, second: Share) -> None:
    for _ in range(2):
        with claimed(data, first), pytest.raises(JournalError, match=f"in shares of {first.count}"):  # noqa: SIM117
            with claimed(data, second):
                pass
        with claimed(data, second):
            pass


def test_the_last_one_of_another_number_is_waited_for(data: DataFolder) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def follow() -> None:
        waiting.set()
        with claimed(data, Share(0, 2), patience=120):
            order.append("second")

    thread = threading.Thread(target=follow)
    with claimed(data, Share(0, 1)):
        thread.start()
        waiting.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_no_file_stays_open_when_it_cannot_be_had(data: DataFolder) -> None:
    with claimed(data, Share(0, 1)):
        before = open_descriptors()
        for share in (Share(0, 1), Share(0, 2)):
            with pytest.raises(JournalError), claimed(data, share):
                pass
        assert open_descriptors() == before


def test_many_that_begin_at_once_agree_on_one_number(data: DataFolder) -> None:
    """Each has a share of its own of one of two numbers: those who get it are all of the same."""
    begin = threading.Barrier(8)
    had: list[int] = []
    ended = threading.Event()
    answered = threading.Semaphore(0)

    def claim(share: Share) -> None:
        begin.wait()
        try:
            with claimed(data, share):
                had.append(share.count)
                answered.release()
                ended.wait()
        except JournalError:
            answered.release()

    threads = [threading.Thread(target=claim, args=(Share(number, count),)) for number in range(4) for count in (4, 5)]
    for thread in threads:
        thread.start()
    for _ in threads:
        answered.acquire()
    ended.set()
    for thread in threads:
        thread.join()
    assert len(set(had)) == 1


def test_a_dangling_link_in_place_of_the_lock_does_not_end_delivery(data: DataFolder) -> None:
    (data.path / "deliver.lock").symlink_to("nowhere")
    with claimed(data, Share(0, 1)), pytest.raises(JournalError, match="another process"), claimed(data, Share(0, 1)):
        pass


def test_a_folder_in_place_of_the_lock_is_named(data: DataFolder) -> None:
    (data.path / "deliver.lock").mkdir()
    with (
        pytest.raises(JournalError, match=r"deliver\.lock is not a regular file: remove it"),
        claimed(data, Share(0, 1)),
    ):
        pass
