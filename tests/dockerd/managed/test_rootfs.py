"""What the plugin's file system holds, and what it must not."""

import json
from pathlib import Path

import pytest

from tests.testbed.managed import ManagedPlugin
from tests.testbed.plugin_image import REPOSITORY

pytestmark = pytest.mark.dockerd


@pytest.fixture
def rootfs(installed: ManagedPlugin, build: Path) -> Path:
    assert installed.enabled
    return build / "plugin/rootfs"


def package(rootfs: Path) -> Path:
    return next(rootfs.glob("opt/peavey/lib/python3*/site-packages/plugin"))


def named(rootfs: Path, *patterns: str) -> list[str]:
    return [str(path) for pattern in patterns for path in rootfs.rglob(pattern)]


def test_it_holds_no_compiler(rootfs: Path) -> None:
    assert not named(rootfs, "bin/cc", "bin/gcc*", "bin/*-gcc*", "bin/ld", "cc1", "Python.h")


def test_it_holds_neither_pip_nor_what_pip_downloaded(rootfs: Path) -> None:
    assert not named(rootfs, "bin/pip*", "site-packages/pip", "dist-packages/pip", "ensurepip", "pip-*.whl", ".cache/*")


def test_it_holds_no_build_tools(rootfs: Path) -> None:
    assert not named(rootfs, "site-packages/setuptools", "site-packages/Cython", "site-packages/wheel")


def test_it_holds_no_tests_and_no_sources_besides_the_package(rootfs: Path) -> None:
    assert not (rootfs / "src").exists()
    assert not named(rootfs / "opt", "conftest.py", "testbed")


def test_the_hot_modules_are_compiled(rootfs: Path) -> None:
    wanted = {path.stem for path in (REPOSITORY / "plugin").rglob("*.pxd")}
    assert {path.name.partition(".")[0] for path in package(rootfs).rglob("*.so")} == wanted


def test_all_modules_are_byte_compiled(rootfs: Path) -> None:
    sources = list(package(rootfs).rglob("*.py"))
    compiled = {path.name.partition(".")[0] for path in package(rootfs).rglob("__pycache__/*.pyc")}
    assert {source.stem for source in sources} == compiled


def test_the_engine_has_our_configuration(installed: ManagedPlugin) -> None:
    ours = json.loads((REPOSITORY / "config.json").read_text(encoding="utf-8"))
    theirs = json.loads(installed.inspect("{{json .Config}}"))
    assert theirs["Description"] == ours["description"]
    assert theirs["PropagatedMount"] == ours["propagatedMount"]
    assert [variable["Name"] for variable in theirs["Env"]] == [variable["name"] for variable in ours["env"]]
    assert theirs["Linux"]["Capabilities"] == []
    assert theirs["Linux"]["AllowAllDevices"] is False
