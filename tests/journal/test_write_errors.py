"""What an error number means for a journal."""

import errno
import os

import pytest

from plugin.journal.splice import UnwrittenError
from plugin.journal.write_errors import WriteFault, classify, write_errno

FULL = ["ENOSPC", "EDQUOT"]
PASSING = ["EMFILE", "ENFILE", "ENOMEM", "EINTR", "ESTALE"]
BROKEN = ["EPERM", "EACCES", "EROFS", "EIO", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "EEXIST", "ELOOP", "EFBIG", "ENODEV"]


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for fault, names in zip(WriteFault, (FULL, PASSING, BROKEN), strict=True) for name in names],
)
def test_each_number_has_its_meaning(name: str, fault: WriteFault) -> None:
    number = getattr(errno, name)
    error = OSError(number, os.strerror(number))
    assert classify(error) is fault
    assert write_errno(error) == number


def test_bytes_that_could_not_be_written_count_as_what_caused_that() -> None:
    error = UnwrittenError(b"bytes")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert classify(error) is WriteFault.FULL
    assert write_errno(error) == errno.ENOSPC


def test_an_error_without_a_number_is_a_broken_journal() -> None:
    assert classify(OSError("something else")) is WriteFault.BROKEN
    assert write_errno(OSError("something else")) == 0
