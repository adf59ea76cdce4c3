"""Programs for riscv64 Linux, built once per session; worlds to run them in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fixtures import line, plain_user, user_world, world
from folders import open_folder

__all__ = ["build", "line", "plain_user", "user_world", "world"]

PROGRAMS = Path(__file__).parent / "programs"
COMPILER = "riscv64-linux-gnu-gcc"
FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-static", "-pthread"]
Build = Callable[[str], Path]


@pytest.fixture(scope="session")
def build() -> Iterator[Build]:
    """The executable of programs/NAME.c."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (make setup-programs)")
    with open_folder("riscv64") as folder:

        def build_(name: str) -> Path:
            program = folder / name
            if not program.exists():
                source = PROGRAMS / f"{name}.c"
                subprocess.run([COMPILER, *FLAGS, "-o", program, source, "-lm"], check=True)
            return program

        yield build_
