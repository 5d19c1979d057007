"""Names below the data folder, and what is done with them."""

import errno
import os
import stat
from pathlib import Path

import pytest

from plugin.errors import JournalError
from plugin.journal import layout
from plugin.journal.layout import (
    DataFolder,
    Segment,
    corrupt_path,
    create_atomically,
    index_path,
    is_gone,
    list_segments,
    may_be_folder,
    segment_path,
    write_atomically,
)
from tests.testbed.descriptors import open_descriptors


class TestDataFolder:
    def test_is_made_for_its_owner_alone(self, folder: Path) -> None:
        data = DataFolder(folder / "deep" / "data")
        data.create()
        data.create()
        for path in (data.path, data.streams, data.containers):
            assert path.stat().st_mode & 0o777 == 0o700

    def test_says_why_it_cannot_be_made(self, folder: Path) -> None:
        folder.write_text("a file")
        with pytest.raises(JournalError, match=r"cannot make the data folder .*: Not a directory"):
            DataFolder(folder / "data").create()

    def test_has_one_writer(self, folder: Path) -> None:
        data = DataFolder(folder)
        data.create()
        lock = data.lock()
        with pytest.raises(JournalError, match="another peavey writes to the data folder"):
            data.lock()
        assert not os.get_inheritable(lock)
        os.close(lock)
        os.close(data.lock())

    def test_knows_its_containers(self, folder: Path) -> None:
        data = DataFolder(folder)
        assert data.container_ids() == []
        data.create()
        for name in ("bb", "aa"):
            data.container(name).mkdir()
        (data.containers / "lost+found").mkdir()
        (data.containers / "cc").write_text("no journal")
        assert data.container_ids() == ["aa", "bb"]

    def test_a_removed_container_is_gone_at_once_and_swept_later(self, folder: Path) -> None:
        data = DataFolder(folder)
        data.create()
        for _ in range(2):
            data.container("aa").mkdir()
            (data.container("aa") / "file").write_text("x")
            data.remove_container("aa")
            assert data.container_ids() == []
        data.container("bb").mkdir()
        data.sweep()
        assert os.listdir(data.containers) == ["bb"]


class TestSegments:
    def test_are_named_by_offsets_of_20_digits(self) -> None:
        folder = Path("/f")
        assert segment_path(folder, 20971520) == Path("/f/00000000000020971520.log")
        assert index_path(folder, 0) == Path("/f/00000000000000000000.idx")
        assert corrupt_path(folder, 10**20 - 1) == Path("/f/99999999999999999999.corrupt")

    def test_are_listed_by_offset(self, folder: Path) -> None:
        assert list_segments(folder) == []
        folder.mkdir()
        names = ["00000000000000000100.log", "00000000000000000020.log.zst", "00000000000000000003.log"]
        others = [
            "info.json",
            "00000000000000000003.idx",
            "00000000000000000004.corrupt",
            ".00000000000000000005.log-x1",
            "00000000000000000006.log.zst.part",
            "7.log",
            "٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٨.log",
        ]
        for name in names + others:
            (folder / name).touch()
        assert list_segments(folder) == [
            Segment(3, str(folder / names[2]), compressed=False),
            Segment(20, str(folder / names[1]), compressed=True),
            Segment(100, str(folder / names[0]), compressed=False),
        ]

    def test_the_plain_form_wins(self, folder: Path) -> None:
        folder.mkdir()
        for name in ("00000000000000000003.log", "00000000000000000003.log.zst"):
            (folder / name).touch()
        assert [segment.compressed for segment in list_segments(folder)] == [False]

    def test_one_that_a_listing_misses_while_it_is_compressed_is_found(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.mkdir()
        plain = ["00000000000000000000.log", "00000000000000000009.log"]
        answers = [set(plain[1:]), {f"{plain[0]}.zst", plain[1]}, {f"{plain[0]}.zst", plain[1]}]
        monkeypatch.setattr(layout, "_segment_names", lambda _: answers.pop(0))
        assert [(segment.base, segment.compressed) for segment in list_segments(folder)] == [(0, True), (9, False)]


class TestWritingAtomically:
    def test_replaces_the_whole_file(self, folder: Path) -> None:
        folder.mkdir()
        path = folder / "file"
        for content in (b"first, which is longer", b"second", b""):
            write_atomically(path, content)
            assert path.read_bytes() == content
            assert path.stat().st_mode & 0o777 == 0o600
        assert os.listdir(folder) == ["file"]

    def test_keeps_the_old_file_and_leaves_nothing_when_it_fails(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.mkdir()
        path = folder / "file"
        write_atomically(path, b"old")
        before = open_descriptors()

        def refused(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        for name in ("pwrite", "replace"):
            with monkeypatch.context() as patch:
                patch.setattr(os, name, refused)
                with pytest.raises(OSError, match="No space"):
                    write_atomically(path, b"new")
            assert path.read_bytes() == b"old"
            assert os.listdir(folder) == ["file"]
        assert open_descriptors() == before

    def test_goes_on_after_a_short_write(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        pwrite = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda fd, content, at: pwrite(fd, content[:3], at))
        descriptor = create_atomically(folder / "file", b"0123456789")
        assert os.pread(descriptor, 20, 0) == b"0123456789"
        os.close(descriptor)


class TestWhatIsThere:
    def test_a_file_a_folder_and_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        paths = (tmp_path, tmp_path / "file", tmp_path / "none", tmp_path / "file" / "below")
        assert [is_gone(path) for path in paths] == [False, False, True, True]
        assert [may_be_folder(path) for path in paths] == [True, False, False, False]

    @pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENAMETOOLONG, errno.EMFILE])
    def test_what_cannot_be_looked_at_may_be(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def refuse(_: object) -> os.stat_result:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "stat", refuse)
        assert not is_gone(tmp_path)
        assert may_be_folder(tmp_path)


@pytest.mark.parametrize(("mode", "mended"), [(0o777, 0o750), (0o755, 0o750), (0o1770, 0o1750), (0o701, 0o700)])
def test_a_data_folder_that_others_may_use_is_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, mended: int
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    DataFolder(tmp_path / "data").create()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == mended
    assert f"had mode {mode:04o}" in caplog.text


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o500])
def test_one_that_is_private_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int) -> None:
    DataFolder(tmp_path / "data").create()
    (tmp_path / "data").chmod(mode)
    DataFolder(tmp_path / "data").create()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == mode
    assert caplog.text == ""


def test_one_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(JournalError, match=r"data folder .* belongs to user \d+, who could change it"):
        DataFolder(tmp_path / "data").create()
