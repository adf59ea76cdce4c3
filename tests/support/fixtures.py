"""Fixtures of the tests that run real programs (imported by the conftest of each folder)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from folders import open_folder
from servers import FileServer, make_file
from world import User, World

__all__ = ["files", "line", "plain_user", "server", "user_world", "world"]


_users = count()
"""Each folder that imports the fixtures has its own."""


@pytest.fixture
def line(request: pytest.FixtureRequest) -> str:
    """Of world.LINES: parametrised by the mark `lines`, or what --line says."""
    return getattr(request, "param", None) or request.config.getoption("--line") or "dma"


@pytest.fixture
def world(line: str) -> Iterator[World]:
    made = World(line=line)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def files() -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder of files, and their SHA-256."""
    sizes = {"200M": 200_000_000, "20M": 20_000_000, "1M": 1_000_000, "10k": 10_000}
    with open_folder("files") as folder:
        yield folder, {name: make_file(folder / name, size) for name, size in sizes.items()}


@pytest.fixture
def server(files: tuple[Path, dict[str, str]]) -> Iterator[FileServer]:
    """Serves `files` on the host's loopback."""
    made = FileServer(files[0])
    yield made
    made.close()


@pytest.fixture(scope="session")
def plain_user() -> Iterator[User | None]:
    """A user made for the tests; None when the tests run as a plain user themselves."""
    if os.getuid():
        yield None
        return
    if shutil.which("useradd") is None:
        pytest.skip("useradd is missing: no plain user can be made")
    name = f"mt{os.getpid()}x{next(_users)}"
    subprocess.run(["useradd", "-M", "-s", "/bin/sh", name], check=True, capture_output=True)
    entry = pwd.getpwnam(name)
    try:
        yield User(name, entry.pw_uid, entry.pw_gid)
    finally:
        subprocess.run(["userdel", name], check=False, capture_output=True)


@pytest.fixture
def user_world(plain_user: User | None, line: str) -> Iterator[World]:
    """A world whose programs run without privileges."""
    made = World(plain_user, line)
    try:
        yield made
    finally:
        made.close()
