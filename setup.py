"""Builds the two forms of the client: libminion.so (plain C) and _minionsocket (cffi).

libminion.so lies in the package directory of minionsocket.  Find it without importing the package
(importing is the monkeypatch): importlib.util.find_spec("minionsocket").submodule_search_locations.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

os.chdir(Path(__file__).resolve().parent)
sys.path.insert(0, "shim")
import build_shim  # noqa: E402

LIBRARY = "minionsocket.libminion"


class BuildExt(build_ext):
    def run(self) -> None:
        words = (os.environ.get("CC") or "cc").split()
        if not (shutil.which(words[0]) or shutil.which("gcc")):
            sys.exit(f"minion: a C compiler is needed ({words[0]} not found): install gcc or clang")
        super().run()

    def get_ext_filename(self, fullname: str) -> str:
        if LIBRARY.endswith(fullname):  # with and without its package
            return str(Path(*fullname.split("."))) + ".so"
        return str(super().get_ext_filename(fullname))

    def build_extension(self, ext: Extension) -> None:
        """libminion.so is loaded into any program: nothing of Python's in it but the flags."""
        if ext.name == LIBRARY:
            self.compiler.include_dirs, kept = [], self.compiler.include_dirs
            try:
                super().build_extension(ext)
            finally:
                self.compiler.include_dirs = kept
        else:
            super().build_extension(ext)

    def get_libraries(self, ext: Extension) -> list[str]:
        return [] if ext.name == LIBRARY else list(super().get_libraries(ext))

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return [] if ext.name == LIBRARY else list(super().get_export_symbols(ext))


libminion = Extension(
    LIBRARY,
    build_shim.SOURCES,
    depends=build_shim.HEADERS,
    include_dirs=[str(build_shim.FOLDER)],
    define_macros=build_shim.MACROS,
    extra_compile_args=build_shim.FLAGS,
    extra_link_args=["-Wl,-z,defs", "-Wl,-z,now"],
)
folders = ["hypercalls*", "stack*", "minion", "minion.*", "bench*"]
setup(
    packages=[*find_packages(include=folders), "minionsocket"],
    package_dir={"minionsocket": "shim/minionsocket"},
    package_data={"minionsocket": ["py.typed"], "*": ["*.ld", "*.S", "*.c", "*.h", "*.elf"]},
    ext_modules=[libminion],
    cffi_modules=["shim/build_shim.py:ffibuilder"],
    cmdclass={"build_ext": BuildExt},
)
