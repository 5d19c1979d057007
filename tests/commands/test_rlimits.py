import resource

import pytest

from plugin.commands.rlimits import raise_file_limit


@pytest.mark.parametrize(("limits", "expected"), [((10, 99), [(99, 99)]), ((99, 99), [])])
def test_as_many_files_as_allowed_may_be_open(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], expected: list[tuple[int, int]]
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    raise_file_limit()
    assert given == expected
