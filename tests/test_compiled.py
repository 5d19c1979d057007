"""The hot modules run in the form that this run is to test: pure by default, compiled with PEAVEY_COMPILED=1."""

import importlib
import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
HOT_MODULES = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in REPOSITORY.glob("plugin/**/*.pxd")
)


@pytest.mark.parametrize("name", HOT_MODULES)
def test_form(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert Path(file).is_relative_to(REPOSITORY)
    assert Path(file).suffix == (".so" if os.environ.get("PEAVEY_COMPILED") == "1" else ".py")
