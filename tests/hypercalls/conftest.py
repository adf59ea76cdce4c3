"""The contract suite's one fixture: a booted rump kernel on each implementation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from boxes import BOXES, Box


@pytest.fixture(params=BOXES)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    made = BOXES[request.param](tmp_path)
    crashes: list[tuple[str, BaseException]] = []
    made.hc.threads.crashed = lambda name, exc: crashes.append((name, exc))
    made.crashes = crashes
    yield made
    made.close()
    for name, exc in crashes:
        raise AssertionError(f"{name} crashed") from exc
