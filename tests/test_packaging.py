"""The files that package the plugin agree with each other and with what the package declares."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from plugin.config.settings import DATA, LOGGING_DIR, SOCKET, plugin_environment
from plugin.sinks.journald.options import DEFAULT_SOCKET
from tests.testbed.host import can_compile

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONFIG: dict[str, Any] = json.loads((REPOSITORY / "config.json").read_text(encoding="utf-8"))
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8").splitlines()
PINNED = {
    canonicalize_name(requirement.name): requirement
    for requirement in (Requirement(line.rstrip("\\ ")) for line in LOCK if not line.startswith(" "))
}


class TestConfiguration:
    """config.json, which tells the engine how to run the managed plugin."""

    def test_its_variables_are_the_declared_settings(self) -> None:
        assert CONFIG["env"] == plugin_environment()

    def test_its_socket_is_where_the_plugin_makes_it(self) -> None:
        assert f"/run/docker/plugins/{CONFIG['interface']['socket']}" == SOCKET.default

    def test_it_is_a_log_driver(self) -> None:
        assert CONFIG["interface"]["types"] == ["docker.logdriver/1.0"]

    def test_fifos_and_journals_lie_in_the_folder_that_survives_an_upgrade(self) -> None:
        assert CONFIG["propagatedMount"] == LOGGING_DIR.default
        data = next(variable for variable in CONFIG["env"] if variable["name"] == DATA.variable)
        assert data["value"].startswith(f"{LOGGING_DIR.default}/")
        assert data["settable"] == []

    def test_folders_of_the_host_are_read_only_and_their_sources_can_be_set(self) -> None:
        assert {mount["name"] for mount in CONFIG["mounts"]} == {"files", "journald"}
        for mount in CONFIG["mounts"]:
            assert mount["type"] == "bind"
            assert mount["options"] == ["rbind", "ro"]
            assert mount["settable"] == ["source"]
            assert Path(mount["source"]).is_dir(), "a plugin with a source that does not exist cannot be enabled"

    def test_the_socket_of_journald_is_where_the_sink_looks_for_it(self) -> None:
        (mount,) = (mount for mount in CONFIG["mounts"] if mount["name"] == "journald")
        assert Path(mount["destination"]) == Path(DEFAULT_SOCKET).parent

    def test_it_asks_for_no_capability_and_no_device(self) -> None:
        assert CONFIG["linux"] == {"capabilities": []}

    def test_its_entry_point_is_the_script_that_the_package_installs(self) -> None:
        program, command = CONFIG["entrypoint"]
        assert f"COPY --from=build {Path(program).parents[1]} " in (REPOSITORY / "Dockerfile").read_text(
            encoding="utf-8"
        )
        assert Path(program).name in PROJECT["scripts"]
        assert command == "serve"


class TestLock:
    """requirements.lock, from which the image is built."""

    def test_it_holds_names_exact_versions_and_hashes_only(self) -> None:
        pin = re.compile(
            r"[a-z0-9-]+==[0-9a-z.]+( (;|and) [a-z_]+ [!<>=]+ '[0-9A-Za-z.]+')* \\|    --hash=sha256:[0-9a-f]{64}( \\)?"
        )
        assert [line for line in LOCK if not pin.fullmatch(line)] == []

    def test_it_has_every_dependency_of_the_package(self) -> None:
        for text in PROJECT["dependencies"]:
            wanted = Requirement(text)
            pinned = PINNED[canonicalize_name(wanted.name)]
            assert wanted.specifier.contains(_version(pinned)), f"make lock: {wanted} is wanted, {pinned} is locked"

    def test_it_has_every_dependency_of_what_it_has(self) -> None:
        for name in PINNED:
            for text in importlib.metadata.requires(name) or []:
                wanted = Requirement(text)
                if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                    pinned = PINNED[canonicalize_name(wanted.name)]
                    assert wanted.specifier.contains(_version(pinned)), f"make lock: {name} wants {wanted}"


class TestBuildTools:
    """requirements-build.lock, by which the image is built."""

    def test_they_are_pinned_by_hashes(self) -> None:
        lock = (REPOSITORY / "requirements-build.lock").read_text(encoding="utf-8")
        pinned = dict(re.findall(r"^([a-z0-9-]+)==([0-9a-z.]+) \\$", lock, re.MULTILINE))
        requires = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["build-system"][
            "requires"
        ]
        assert {Requirement(text).name for text in requires} == pinned.keys()
        for text in requires:
            assert Requirement(text).specifier.contains(pinned[Requirement(text).name])
        assert lock.count("--hash=sha256:") >= len(pinned)

    def test_nothing_is_installed_into_the_image_without_a_hash(self) -> None:
        lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        steps = [step for line in lines for step in line.removeprefix("RUN ").split("&&") if "bin/pip" in step]
        assert len(steps) == 4
        for step in steps:
            assert "--require-hashes" in step or "--no-build-isolation" in step or "--no-index" in step


def _version(pinned: Requirement) -> Version:
    return Version(str(pinned.specifier).removeprefix("=="))


@dataclass(frozen=True)
class Sample:
    """A package that is built as ours is, with one module to compile."""

    folder: Path

    def wheel(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Build a wheel, without asking a registry."""
        command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir=dist", "."]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PEAVEY_")}
        return subprocess.run(
            command, cwd=self.folder, env=inherited | environment, capture_output=True, text=True, check=False
        )

    def files(self) -> set[str]:
        """Name the kinds of files that there are of the module in the wheel: .py, .pxd, .so."""
        (wheel,) = self.folder.glob("dist/*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.folder / "unpacked")
        return {path.suffix for path in self.folder.glob("unpacked/plugin/hot*")}

    def loaded_from(self) -> str:
        """Import the module from the wheel in a process of its own; return the kind of file that was loaded."""
        program = "import plugin.hot as hot; assert hot.twice(21) == 42; print(hot.__file__)"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=self.folder / "unpacked", capture_output=True, text=True, check=True
        )
        return Path(done.stdout.strip()).suffix


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    for name in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    (tmp_path / "README.md").touch()
    package = tmp_path / "plugin"
    package.mkdir()
    for name, text in {
        "__init__.py": "",
        "hot.py": "def twice(number: int) -> int:\n    return number * 2\n",
        "hot.pxd": "cpdef long long twice(long long number)\n",
    }.items():
        (package / name).write_text(text, encoding="utf-8")
    return Sample(tmp_path)


class TestCompilation:
    """setup.py, which compiles the hot modules where that is possible."""

    @pytest.mark.skipif(not can_compile(), reason="no C compiler, or no Python headers, on this machine")
    def test_with_a_compiler_the_compiled_module_is_built_and_loaded(self, sample: Sample) -> None:
        built = sample.wheel()
        assert built.returncode == 0, built.stderr
        assert sample.files() == {".py", ".pxd", ".so"}
        assert sample.loaded_from() == ".so"

    def test_without_a_compiler_the_pure_module_is_built_and_loaded(self, sample: Sample) -> None:
        built = sample.wheel(CC="false")
        assert built.returncode == 0, built.stderr
        assert sample.files() == {".py", ".pxd"}
        assert sample.loaded_from() == ".py"

    def test_without_a_compiler_a_required_compilation_fails(self, sample: Sample) -> None:
        assert sample.wheel(CC="false", PEAVEY_COMPILED="1").returncode != 0

    def test_a_pure_build_compiles_nothing(self, sample: Sample) -> None:
        assert sample.wheel(PEAVEY_PURE="1").returncode == 0
        assert sample.files() == {".py", ".pxd"}


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^\.PHONY: (\S+)", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)) == targets - {"test-compiled"}


def test_the_systemd_unit_starts_the_server_with_flags_that_it_knows() -> None:
    unit = (REPOSITORY / "docs/peavey.service").read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    assert command is not None
    _, *arguments = command[1].split()
    assert arguments == ["serve", "--socket", SOCKET.default, "--data", "/var/lib/peavey"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_the_systemd_unit_is_hardened() -> None:
    rating = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "docs/peavey.service"]
    rated = subprocess.run(rating, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout.splitlines()[-1]
