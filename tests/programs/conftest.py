"""Programs that people use, unchanged, on a minion: fixtures are in tests/support."""

from __future__ import annotations

import os
import shutil

import pytest
from fixtures import files, plain_user, server, user_world, world

__all__ = ["files", "needs", "plain_user", "server", "user_world", "world"]


@pytest.fixture(autouse=True)
def needs(request: pytest.FixtureRequest) -> None:
    """`needs(NAME, ...)`: a program that is missing is a skip that names it."""
    marker = request.node.get_closest_marker("needs")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for name in marker.args if marker is not None else ():
        if shutil.which(name, path=path) is None:
            pytest.skip(f"{name} is not installed (make setup-programs)")
