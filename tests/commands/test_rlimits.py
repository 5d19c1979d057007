import logging
import resource

import pytest

from plugin.commands.rlimits import raise_file_limit, within_limit


@pytest.mark.parametrize(("limits", "expected"), [((10, 99), [(99, 99)]), ((99, 99), [])])
def test_as_many_files_as_allowed_may_be_open(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    raise_file_limit()
    assert given == expected


@pytest.mark.parametrize(
    ("limit", "bounded"),
    [(524_288, (1000, 256)), (resource.RLIM_INFINITY, (1000, 256)), (1024, (64, 8)), (128, (8, 1)), (16, (1, 1))],
)
def test_readers_leave_descriptors_for_streams(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, limit: int, bounded: tuple[int, int]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    caplog.set_level(logging.DEBUG)
    assert within_limit(1000, 256) == bounded
    assert ("RLIMIT_NOFILE is" in caplog.text) == (bounded != (1000, 256))
