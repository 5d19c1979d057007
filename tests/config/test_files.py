"""Files that log-opts name: which of them may be used, and that none holds anything up."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config import files
from plugin.config.files import FileAccess, FileRoot, bounded, parse_roots, read_file, restricted


class Host:
    """A host with the plugin's folders on it, and files of others."""

    def __init__(self, folder: Path) -> None:
        self.fifos = folder / "logging"
        self.data = self.fifos / "peavey"
        self.certs = folder / "etc"
        self.logs = folder / "log"
        self.open = self.fifos / "files"
        self.outside = folder / "shadow"
        for made in (self.data, self.certs, self.logs, self.open):
            made.mkdir(parents=True)
        for file in (self.data / "info.json", self.fifos / "fifo", self.certs / "ca", self.logs / "x", self.open / "y"):
            file.write_text("content")
        self.outside.write_text("secret")
        roots = (FileRoot(str(self.certs), writable=False), FileRoot(str(self.logs), writable=True))
        self.access = FileAccess((*roots, FileRoot(str(self.open), writable=True)), str(self.data), str(self.fifos))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host whose rules are in force."""
    made = Host(tmp_path)
    with restricted(made.access):
        yield made


class TestRules:
    def test_files_below_a_root_are_read(self, host: Host) -> None:
        for file in (host.certs / "ca", host.logs / "x", host.open / "y"):
            assert read_file(file) == b"content"

    def test_others_are_not(self, host: Host) -> None:
        with pytest.raises(
            ValueError, match=r"is not below a folder where log-opts may read.*/etc, .*PEAVEY_FILE_ROOTS"
        ):
            read_file(host.outside)

    @pytest.mark.parametrize("path", ["{0.certs}/../shadow", "{0.logs}/../../../../etc/shadow", "{0.certs}-more/x"])
    def test_a_path_that_leads_out_is_refused(self, host: Host, path: str) -> None:
        with pytest.raises(ValueError, match="is not below a folder"):
            read_file(path.format(host))

    @pytest.mark.parametrize("write", [False, True])
    def test_the_plugins_own_files_are_refused_although_all_others_are_allowed(self, host: Host, write: bool) -> None:
        everything = FileAccess((FileRoot("/", writable=True),), str(host.data), str(host.fifos))
        for access in (host.access, everything, FileAccess(None, str(host.data), str(host.fifos))):
            with pytest.raises(ValueError, match="data folder"):
                access.check(host.data / "info.json", write=write)
            with pytest.raises(ValueError, match="FIFOs"):
                access.check(host.fifos / "fifo", write=write)

    def test_a_link_to_them_is_refused_wherever_it_lies(self, host: Host) -> None:
        for folder in (host.certs, host.logs):
            (folder / "link").symlink_to(host.data / "info.json")
            with pytest.raises(ValueError, match=r"/link', which is '.*info\.json', lies in the plugin's data folder"):
                read_file(folder / "link")

    def test_a_link_may_lead_out_only_where_but_the_operator_can_make_one(self, host: Host) -> None:
        for folder in (host.certs, host.logs):
            (folder / "link").symlink_to(host.outside)
        assert read_file(host.certs / "link") == b"secret"
        with pytest.raises(ValueError, match=r"/link', which is '.*/shadow', is not below"):
            read_file(host.logs / "link")

    def test_a_folder_that_is_a_link_is_seen_through(self, host: Host) -> None:
        (host.logs / "up").symlink_to(host.logs.parent)
        with pytest.raises(ValueError, match="is not below"):
            read_file(host.logs / "up" / "shadow")
        with pytest.raises(ValueError, match="is not below"):
            host.access.check_new(host.logs / "up" / "new")

    def test_a_root_may_itself_be_a_link(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(host.logs)
        with restricted(FileAccess((FileRoot(str(tmp_path / "alias"), writable=True),))):
            assert read_file(tmp_path / "alias" / "x") == b"content"

    def test_nothing_is_written_below_a_root_that_is_only_read(self, host: Host) -> None:
        host.access.check(host.certs / "new")
        with pytest.raises(ValueError, match=r"may write files \(.*/log, .*/files;"):
            host.access.check(host.certs / "new", write=True)
        host.access.check(host.logs / "new", write=True)
        host.access.check_new(host.open / "a" / "b")

    @given(st.text())
    def test_any_text_is_roots_or_a_fault(self, text: str) -> None:
        try:
            roots = parse_roots(text)
        except ValueError:
            return
        assert parse_roots(",".join(map(str, roots))) == roots or "," in "".join(root.path for root in roots)


class TestHints:
    def test_only_a_managed_plugin_is_told_how_to_have_it_see_files(self, tmp_path: Path) -> None:
        for data, told in ((files.MANAGED_DATA, True), (str(tmp_path / "data"), False)):
            with restricted(FileAccess(None, data)), pytest.raises(ValueError, match="No such file") as caught:
                read_file(tmp_path / "missing")
            assert ("docker plugin set" in str(caught.value)) == told


class TestReading:
    @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o140600)])
    def test_what_is_not_a_regular_file_is_refused_at_once(self, tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
        make(tmp_path / "odd")
        with pytest.raises(ValueError, match="is not a regular file"):
            read_file(tmp_path / "odd")

    def test_a_file_is_read_to_its_bound(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * 10)
        assert read_file(tmp_path / "file", 10) == b"x" * 10
        with pytest.raises(ValueError, match="is larger than 9 bytes"):
            read_file(tmp_path / "file", 9)

    def test_of_a_file_without_end_no_more_than_that_is_read(self) -> None:
        # The kernel's own files say that they are regular and empty, and some never end.
        with pytest.raises(ValueError, match="is larger than 5 bytes"):
            read_file("/proc/self/status", 5)

    def test_one_that_hangs_is_given_up_and_not_tried_again_while_it_does(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "_WITHIN", 0.01)
        go_on, calls = threading.Event(), []

        def hang(name: str) -> str:
            calls.append(name)
            go_on.wait()
            return name

        for _ in range(3):
            with pytest.raises(ValueError, match="'x' does not answer"):
                bounded("x", hang, "x")
        assert calls == ["x"]
        monkeypatch.setattr(files, "_WITHIN", 60)
        assert bounded("y", lambda: "another") == "another"
        go_on.set()
        while files._running:
            time.sleep(0.001)
        assert bounded("x", hang, "z") == "z"

    def test_those_that_hang_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "_WITHIN", 0)
        go_on = threading.Event()
        for number in range(files._MOST_RUNNING):
            with pytest.raises(ValueError, match="does not answer"):
                bounded(str(number), go_on.wait)
        with pytest.raises(ValueError, match="other files have not answered"):
            bounded("one more", go_on.wait)
        go_on.set()
        while files._running:
            time.sleep(0.001)

    def test_an_event_loop_waits_less(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "_WITHIN_ON_A_LOOP", 0)
        go_on = threading.Event()

        async def read() -> None:
            with pytest.raises(ValueError, match="does not answer"):
                bounded("x", go_on.wait)

        asyncio.run(read())
        go_on.set()
        while files._running:
            time.sleep(0.001)

    def test_what_is_raised_is_raised_here(self) -> None:
        with pytest.raises(ZeroDivisionError):
            bounded("x", lambda: 1 // 0)
