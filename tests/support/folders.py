"""Folders of tests: such as every user may enter, and such as all workers of a run share."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """pytest's own are for their owner, and a second run of it closes them."""
    with tempfile.TemporaryDirectory(prefix=f"mt-{name}-", dir="/tmp") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills, in whichever process of this run needs it first."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / f"once-{name}"
    with (base / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = base / f"once-{name}.making"
            making.mkdir()
            make(making)
            making.rename(folder)
    return folder
