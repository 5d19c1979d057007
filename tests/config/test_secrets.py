"""Secrets do not show by accident, and are read from files that hold nothing else."""

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.config.secrets import Secret, read_secret


@dataclasses.dataclass
class Holder:
    token: Secret


@given(st.text(min_size=20))
def test_a_secret_shows_in_no_text_that_is_made_of_it(text: str) -> None:
    secret = Secret(text)
    holder = Holder(secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>50}", repr(holder), repr([secret])]
    shown.append(repr(dataclasses.asdict(holder)))
    assert all(text not in each for each in shown)
    assert secret.reveal() == text


def test_secrets_of_the_same_text_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_the_newline_at_the_end_of_a_file_is_no_part_of_the_secret(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(b" t0ken\n " + ending.encode())
    assert read_secret(str(file)) == " t0ken\n "


def test_a_missing_file_is_answered_with_how_a_managed_plugin_sees_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read '.*/token': No such file or directory \(a managed plugin sees"):
        read_secret(str(tmp_path / "token"))


def test_a_relative_path_is_refused_without_showing_it() -> None:
    # It may be the secret itself, given to the wrong option.
    with pytest.raises(ValueError, match="absolute path") as caught:
        read_secret("t0ken")
    assert "t0ken" not in str(caught.value)


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ValueError, match="is not a regular file"):
        read_secret(str(tmp_path / "fifo"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not a regular file|Is a directory"):
        read_secret(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "does not hold UTF-8 text"), (b"x" * 65_537, "is larger than")],
)
def test_a_file_that_can_be_no_secret_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        read_secret(str(file))


def test_a_file_as_large_as_allowed_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"x" * 65_536)
    assert len(read_secret(str(file))) == 65_536
