"""Compiles, with Cython, each module of the package that has a .pxd of the same name beside it.

The Python source stays in the package and works alone: without a compiler, that is what gets installed.
`PEAVEY_PURE=1` does not even try (for an editable install, where an old extension would hide the source being
edited); `PEAVEY_COMPILED=1` makes a failed compilation an error (for the image, which must not become slow
unnoticed).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

_PROCESSORS = len(os.sched_getaffinity(0))


def compiled_modules(*, required: bool) -> list[Extension]:
    """Return an extension for each `plugin/**/x.py` that has an `x.pxd`; one not required may fail to build."""
    extensions: list[Extension] = cythonize(
        [
            Extension(".".join(pxd.with_suffix("").parts), [str(pxd.with_suffix(".py"))], extra_compile_args=["-g0"])
            for pxd in sorted(Path("plugin").rglob("*.pxd"))
        ],
        build_dir="build/cython",
        # The .pxd files alone give C types: the annotations in the source speak of Python's unbounded int.
        compiler_directives={"language_level": 3, "annotation_typing": False},
        quiet=True,
        nthreads=_PROCESSORS,
    )
    for extension in extensions:
        extension.optional = not required
    return extensions


pure = os.environ.get("PEAVEY_PURE") == "1"
setup(
    ext_modules=[] if pure else compiled_modules(required=os.environ.get("PEAVEY_COMPILED") == "1"),
    options={"build_ext": {"parallel": _PROCESSORS}},
)
