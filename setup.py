"""Building the compiled core, sagedock._core, from src/core. Without a C++ compiler the package installs without it."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import nanobind
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

SOURCES = [str(path) for path in sorted(Path("src/core").glob("*.cpp"), key=lambda path: -path.stat().st_size)]
INCLUDED = (
    Path("src/core"),
    Path(nanobind.include_dir()),
    Path(nanobind.source_dir()),
    Path(nanobind.source_dir()).parent / "ext" / "robin_map" / "include",
)
HEADERS = sorted(str(path) for path in Path("src/core").glob("*.hpp"))

CORE = Extension(
    "sagedock._core",
    sources=SOURCES,
    depends=HEADERS,
    include_dirs=[str(folder) for folder in INCLUDED],
    language="c++",
    # a portable baseline: what a newer processor has is chosen at run time (src/core/processor.hpp)
    extra_compile_args=[
        *("-std=c++17", "-O3", "-g0", "-pthread"),
        *("-fvisibility=hidden", "-fno-strict-aliasing", "-ffp-contract=off"),
    ],
    extra_link_args=["-pthread"],
    define_macros=[("NDEBUG", None), ("NB_COMPACT_ASSERTIONS", None)],
    optional=True,
)


class BuildCore(build_ext):
    """Says in one line what is missing when the core cannot be compiled, and leaves no older one in its place."""

    def build_extension(self, ext: Extension) -> None:
        """Compile; a failure is told and passed on to setuptools, which goes on without an optional extension."""
        stale = Path("src") / self.get_ext_filename(ext.name)
        stale.unlink(missing_ok=True)
        compile_some = self.compiler.compile

        def compile_all(sources: list[str], **options: Any) -> list[str]:
            """The objects of `sources`, compiled beside one another: some take long."""
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return list(chain(*pool.map(lambda source: compile_some([source], **options), sources)))

        self.compiler.compile = compile_all
        try:
            super().build_extension(ext)
        except (CCompilerError, BaseError) as error:
            sys.stderr.write(
                f"sagedock: the compiled core was not built ({error}): everything works without it, more slowly; "
                "install g++ and Python's headers (Debian: g++ python3-dev), then install sagedock again\n"
            )
            raise


setup(ext_modules=[CORE], cmdclass={"build_ext": BuildCore})
