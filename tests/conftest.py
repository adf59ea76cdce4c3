"""Let the tests run from a checkout, by `pytest` as well as by `python -m pytest`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
for path in (ROOT, ROOT / "shim", ROOT / "tests" / "support"):
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))


@pytest.fixture(autouse=True)
def needs(request: pytest.FixtureRequest) -> None:
    """`needs(NAME, ...)`: a program that is missing is a skip that names it."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for marker in request.node.iter_markers("needs"):
        for name in marker.args:
            if shutil.which(name, path=path) is None:
                pytest.skip(f"{name} is not installed (make setup-programs)")
