"""Folders that every user may enter: pytest's are for their owner, and a second run closes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def open_folder(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"minion-tests-{name}-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder
