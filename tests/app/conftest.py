"""Programs for riscv64 Linux, built once per session; worlds to run them in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures import line, plain_user, user_world, world

__all__ = ["build", "line", "plain_user", "user_world", "world"]

PROGRAMS = Path(__file__).parent / "programs"
COMPILER = "riscv64-linux-gnu-gcc"
FLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-static", "-pthread"]
Build = Callable[[str], Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The executable of programs/NAME.c."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (make setup-programs)")
    folder = tmp_path_factory.mktemp("riscv64")
    folder.chmod(0o755)
    folder.parent.chmod(0o755)  # plain users run them too
    folder.parent.parent.chmod(0o755)

    def build_(name: str) -> Path:
        program = folder / name
        if not program.exists():
            source = PROGRAMS / f"{name}.c"
            subprocess.run([COMPILER, *FLAGS, "-o", program, source, "-lm"], check=True)
        return program

    return build_
