import logging
import math
import resource

import pytest

from plugin.commands.rlimits import delivery_limits, look_up_threads, raise_file_limit, within_limit


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
    [
        (524_288, (1000, 256, 4096)),
        (resource.RLIM_INFINITY, (1000, 256, 4096)),
        (1024, (64, 32, 64)),
        (128, (8, 4, 8)),
        (16, (1, 1, 1)),
    ],
)
def test_readers_leave_descriptors_for_streams(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, limit: int, bounded: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    caplog.set_level(logging.DEBUG)
    assert within_limit(1000, 256, 4096) == bounded
    assert ("RLIMIT_NOFILE is" in caplog.text) == (bounded != (1000, 256, 4096))


@pytest.mark.parametrize(
    ("limit", "journals", "connections", "threads"),
    [
        (resource.RLIM_INFINITY, math.inf, math.inf, 64),
        (524_288, 131_064, 131_064, 64),
        (1024, 248, 248, 31),
        (96, 16, 16, 2),
        (20, 1, 1, 1),
    ],
)
def test_delivery_shares_out_what_is_left(
    monkeypatch: pytest.MonkeyPatch, limit: int, journals: float, connections: float, threads: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert delivery_limits() == (journals, connections)
    assert look_up_threads(64) == threads
