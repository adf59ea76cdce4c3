"""Builds the two forms of the client, libminion.so (plain C) and _minionsocket (cffi), and the
hart's native engine (cffi).

libminion.so lies in the package directory of minionsocket.  Find it without importing the package
(importing is the monkeypatch): importlib.util.find_spec("minionsocket").submodule_search_locations.
"""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

os.chdir(Path(__file__).resolve().parent)
sys.path.insert(0, "shim")
import build_shim  # noqa: E402

LIBRARY = "minionsocket.libminion"


def compiler() -> list[str]:
    return (os.environ.get("CC") or ("cc" if shutil.which("cc") else "gcc")).split()


class BuildExt(build_ext):
    def build_extensions(self) -> None:
        self.compile_one = self.compiler.compile
        self.compiler.compile = self.compile_side_by_side
        super().build_extensions()

    def compile_side_by_side(self, sources: list[str], **options: Any) -> list[str]:
        """distutils compiles one file after the other: the hot modules are about a hundred."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = pool.map(lambda source: self.compile_one([source], **options), sources)
            return [path for made in objects for path in made]

    def run(self) -> None:
        name = compiler()[0]
        if not shutil.which(name):
            sys.exit(f"minion: a C compiler is needed ({name} not found): install gcc or clang")
        super().run()

    def get_ext_filename(self, fullname: str) -> str:
        if LIBRARY.endswith(fullname):  # with and without its package
            return str(Path(*fullname.split("."))) + ".so"
        return str(super().get_ext_filename(fullname))  # type: ignore[no-untyped-call]  # stubs lack it

    def build_extension(self, ext: Extension) -> None:
        if ext.name == LIBRARY:
            self.build_library(ext)
        else:
            super().build_extension(ext)

    def build_library(self, ext: Extension) -> None:
        """In one command, with none of Python's flags: any program may load this."""
        output = Path(self.get_ext_fullpath(ext.name))
        inputs = [Path(name) for name in [*ext.sources, *ext.depends]]
        newest = max(path.stat().st_mtime for path in inputs)
        if not self.force and output.exists() and output.stat().st_mtime > newest:
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        macros = [f"-D{name}" for name, _ in ext.define_macros]
        user_flags = (os.environ.get("CFLAGS") or "").split()
        command = [*compiler(), "-shared", "-fPIC", "-Wl,-z,defs,-z,now", *user_flags]
        self.spawn([*command, *ext.extra_compile_args, *macros, *ext.sources, "-o", str(output)])


libminion = Extension(
    LIBRARY,
    build_shim.SOURCES,
    depends=build_shim.HEADERS,
    define_macros=build_shim.MACROS,
    extra_compile_args=build_shim.FLAGS,
)


def wanted() -> bool:
    """Whether to compile the hot modules: for wheels by default, in a checkout when asked to.

    A checkout (`pip install -e .`) is for reading and changing: compiled modules would hide that.
    """
    choice = os.environ.get("MINION_COMPILE", "")
    if choice not in ("", "0", "1"):
        sys.exit("minion: MINION_COMPILE is 1 (compile the hot modules) or 0 (do not)")
    return choice == "1" or (not choice and "bdist_wheel" in sys.argv)


def compiled() -> list[Extension]:
    """The modules on the way of calls and packets as C, by mypyc: same sources, same behaviour."""
    if not wanted():
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        if os.environ.get("MINION_COMPILE"):
            sys.exit("minion: MINION_COMPILE=1 needs mypy: pip install mypy")
        print("minion: mypy is not there: the hot modules stay interpreted", file=sys.stderr)
        return []
    folders = ["stack", "minion/devices", "minion/line", "minion/netdev", "hypercalls/bare"]
    folders += ["hypercalls/common", "minion/driver", "minion/sysproxy"]
    files = [str(path) for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    files += ["minion/bus.py", "minion/ram.py", "hypercalls/host/reactor.py"]
    named = [f for f in files if not f.endswith("__init__.py")]
    # One file of C for each module: the compiler takes half the time over them.
    built: list[Extension] = mypycify(named, multi_file=True)
    return built


folders = ["hypercalls*", "stack*", "minion", "minion.*", "bench*"]
setup(
    packages=[*find_packages(include=folders), "minionsocket"],
    package_dir={"minionsocket": "shim/minionsocket"},
    package_data={"minionsocket": ["py.typed"], "*": ["*.ld", "*.S", "*.c", "*.h", "*.elf"]},
    ext_modules=[libminion, *compiled()],
    cffi_modules=["shim/build_shim.py:ffibuilder", "minion/hart/native/build.py:ffibuilder"],
    cmdclass={"build_ext": BuildExt},
)
