"""Imports point one way: each room of the package imports only rooms below it, and no two modules each other.

Imports are read from the source, also those inside functions, so that one made late counts as well.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import plugin

PACKAGE = Path(plugin.__file__).parent
LEAVES = frozenset({"__version__", "errors", "memory"})

ALLOWED = {
    "errors": set[str](),
    "memory": set[str](),
    "gotemplate": set[str](),
    "docker": {"gotemplate", "errors"},
    "config": {"docker", "gotemplate", "errors"},
    "records": {"docker", "errors"},
    "transforms": {"records", "docker", "config", "gotemplate", "errors"},
    "journal": {"docker", "config", "errors"},
    "sinks": {"records", "docker", "config", "errors"},
    "intake": {"journal", "docker", "config", *LEAVES},
    "delivery": {"journal", "sinks", "transforms", "records", "docker", "config", *LEAVES},
    "status": {"intake", "delivery", "journal", "docker", "config", *LEAVES},
    "browse": {"intake", "journal", "transforms", "docker", "config", *LEAVES},
    "console": {"browse", "status", "intake", "journal", "docker", "config", *LEAVES},
    "api": {"status", "intake", "journal", "docker", "config", *LEAVES},
    "commands": {
        *("api", "console", "browse", "status", "intake", "delivery", "journal"),
        *("sinks", "transforms", "records", "docker", "config", *LEAVES),
    },
    "__main__": {"commands", "config", *LEAVES},
}
"""The rooms that each room may import; a room imports its own modules as well."""


def modules() -> dict[str, Path]:
    """Return all modules by their dotted names."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("plugin", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports_of(module: str) -> Iterator[str]:
    """Return the modules of the package that a module imports, and the names in ``plugin`` itself."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names):
                yield from (name.name for name in names if name.name.startswith("plugin."))
            case ast.ImportFrom(level=0, module=str(source), names=names) if source.split(".")[0] == "plugin":
                for name in names:
                    submodule = f"{source}.{name.name}"
                    yield submodule if submodule in MODULES or source == "plugin" else source


def room(module: str) -> str:
    """Return the room of a module: the first name below ``plugin``."""
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"plugin"}))
def test_a_module_imports_only_from_its_own_room_and_those_below(module: str) -> None:
    allowed = ALLOWED[room(module)] | {room(module)}

    assert {room(imported) for imported in imports_of(module)} <= allowed


def test_a_sink_imports_no_other_sink() -> None:
    shared = {"base", "registry", "transport", "encoding"}
    for module in MODULES:
        if module.startswith("plugin.sinks.") and (sink := module.split(".")[2]) not in shared:
            others = {imported.split(".")[2] for imported in imports_of(module) if imported.startswith("plugin.sinks.")}
            assert others - shared <= {sink}, module


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: {imported for imported in imports_of(module) if imported != module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(reversed(error.args[1])))


def test_the_rooms_themselves_form_no_circle() -> None:
    TopologicalSorter(ALLOWED).prepare()


def test_imports_within_functions_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    late = tmp_path / "late.py"
    late.write_text("def f():\n    from plugin.journal import layout\n    import plugin.errors\n", encoding="utf-8")
    monkeypatch.setitem(MODULES, "plugin.sinks.late", late)

    assert set(imports_of("plugin.sinks.late")) == {"plugin.journal.layout", "plugin.errors"}
