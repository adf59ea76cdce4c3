"""Unmodified programs under libminion.so; each of them on libc as well, as the oracle."""

from __future__ import annotations

import pytest
from preload import Run


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
