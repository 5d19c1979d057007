"""A process that runs the modules' Python source although they are compiled here, to compare what both make of input.

It reads calls, one a line, as the names of a module and a function of ``tests.fuzz`` and the input in hexadecimal, and
answers each with the ``repr`` of what it returns.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


class _SourceOnly(importlib.abc.MetaPathFinder):
    """Finds the plugin's modules, and never a compiled one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != "plugin":
            return None
        loader = (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
        for entry in sys.path if path is None else path:
            spec = importlib.machinery.FileFinder(entry or ".", loader).find_spec(fullname)
            if spec is not None:
                return spec
        return None


@contextmanager
def pure() -> Iterator[Callable[[Callable[[bytes], Any], bytes], str]]:
    """Start the process; yields what calls a function of a test module there, and gives the ``repr`` of its result."""
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.pure"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        questions, answers = process.stdin, process.stdout

        def call(function: Callable[[bytes], Any], content: bytes) -> str:
            questions.write(f"{function.__module__} {function.__name__} {content.hex()}\n")
            questions.flush()
            return answers.readline().removesuffix("\n")

        yield call
        questions.close()


def main() -> None:
    """Answer calls until there are no more."""
    sys.meta_path.insert(0, _SourceOnly())
    for line in sys.stdin:
        module, function, content = line.removesuffix("\n").split(" ")
        print(repr(getattr(importlib.import_module(module), function)(bytes.fromhex(content))), flush=True)


if __name__ == "__main__":
    main()
