"""What keeps containers from being delivered: told once, and for as long as it lasts."""

import pytest

from plugin.delivery.misconfigurations import Faults
from plugin.errors import JournalError

ONE, OTHER = "1" * 64, "2" * 64
UNREADABLE = JournalError("cannot use /data/info.json: Input data was truncated")


@pytest.fixture
def faults() -> Faults:
    """One sink of a container with a fault, beside another container without any."""
    made = Faults()
    made.note(ONE, "loki", "no token", defect=False)
    return made


def test_each_begins_with_what_it_is_of(faults: Faults) -> None:
    faults.note(OTHER, "gelf", "no host", defect=False)
    assert faults.texts() == ["111111111111 loki: no token", "222222222222 gelf: no host"]


def test_the_log_tells_of_each_once_until_it_changes(faults: Faults, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("no token", "another", "another"):
        faults.note(ONE, "loki", text, defect=False)
    for _ in range(2):
        faults.note_unreadable(OTHER, UNREADABLE, known=False)
    assert [record.getMessage()[:22] for record in caplog.records] == [f"container {12 * n}" for n in "12"]
    assert faults.texts()[0] == "111111111111 loki: another"


def test_a_defect_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    try:
        int("a defect")
    except ValueError:
        Faults().note(ONE, "loki", "a defect", defect=True)
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("known", "what"),
    [
        (False, "it is not delivered, its log waits"),
        (True, "its log-opts hold as they were read before"),
    ],
)
def test_log_opts_that_cannot_be_read_are_told_with_what_to_do(known: bool, what: str) -> None:
    faults = Faults()
    faults.note_unreadable(ONE, UNREADABLE, known=known)
    (text,) = faults.texts()
    assert text.startswith(f"111111111111: {what}: {UNREADABLE}; if it is damaged, start the container again")


def test_what_is_mended_is_forgotten(faults: Faults) -> None:
    faults.note(ONE, "gelf", "no host", defect=False)
    faults.note_unreadable(ONE, UNREADABLE, known=False)
    faults.forget_all_but(ONE, {"loki", "gelf", "http"})
    assert faults.texts() == ["111111111111 loki: no token", "111111111111 gelf: no host"]
    faults.forget(ONE, "loki")
    faults.forget(OTHER, "loki")
    assert ONE in faults
    faults.forget(ONE, "gelf")
    assert ONE not in faults
    assert faults.texts() == []
