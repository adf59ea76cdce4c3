"""`import minionsocket`: the standard library on the minion without LD_PRELOAD."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from preload import PROGRAMS, Driver, clean_env, run_bounded


def run_patched(built: Path, driver: Driver, *command: str) -> None:
    env = clean_env() | {"PYTHONPATH": str(built), "MINION": str(driver.control)}
    done = run_bounded([sys.executable, *command], env)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["http_.py", "asyncio_.py", "ssl_.py", "socket_.py"])
def test_standard_library(built: Path, driver: Driver, name: str) -> None:
    run_patched(built, driver, str(PROGRAMS / "patched" / name))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["connecting.py", "readiness.py", "workers.py", "threads.py", "limits.py"]
)
def test_programs(built: Path, driver: Driver, name: str) -> None:
    """The same programs as under LD_PRELOAD."""
    code = "import minionsocket, runpy, sys; runpy.run_path(sys.argv[1])"
    run_patched(built, driver, "-c", code, str(PROGRAMS / name))
