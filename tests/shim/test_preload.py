"""Unmodified programs under libminion.so; each of them on libc as well, as the oracle."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from preload import PROGRAMS, Done, Run


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "descriptors.py",
        "connecting.py",
        "readiness.py",
        "loss.py",
        "workers.py",
        "threads.py",
        "limits.py",
    ],
)
def test_python(run: Run, name: str) -> None:
    run(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["edges", "fortified", "vforked", "handlers", "raw"])
def test_c(run: Run, name: str) -> None:
    run(name)


@pytest.mark.slow
def test_pool(preloaded: Callable[..., Done]) -> None:
    done = preloaded(sys.executable, str(PROGRAMS / "pool.py"), "192.0.2.1")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root has privileges to drop")
def test_dropped_privileges(run: Run) -> None:
    run("dropping.py")
