"""Whether the C library understands a time zone, which it does not say itself."""

import os
from pathlib import Path

import pytest

from plugin.commands.local_time import is_known_zone


@pytest.mark.parametrize("text", ["UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5", "<+03>-3", ":UTC", "IST-5:30"])
def test_rules_need_no_file(text: str) -> None:
    assert is_known_zone(text)


def test_names_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Sea").mkdir()
    (tmp_path / "Sea" / "Deep").touch()
    monkeypatch.setitem(os.environ, "TZDIR", str(tmp_path))
    assert is_known_zone("Sea/Deep")
    assert is_known_zone(f":{tmp_path}/Sea/Deep")
    for text in ("Sea", "Sea/Deeper", "Europe/Brelin", "berlin", "+01:00"):
        assert not is_known_zone(text)
