"""Daemons that start as root and lock themselves in: what their tests share."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from world import MINION, Program, World, eventually

__all__ = ["as_root", "given_to", "on_minion", "run_on_host", "sbin", "wait_answer"]

as_root = pytest.mark.skipif(
    os.getuid() != 0, reason="needs root, whom the daemon leaves: run the tests as root"
)


def sbin(name: str) -> str:
    """A daemon's path: not everybody looks into /usr/sbin."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert path, f"{name} has gone since the mark `needs` saw it"
    return path


def on_minion(world: World, name: str, *argv: str | Path) -> Program:
    """Start a daemon on the minion of that name."""
    return world.start(MINION, "run", "--on", name, "--", sbin(str(argv[0])), *argv[1:])


def given_to(user: str, folder: Path) -> Path:
    """A new folder of that user's."""
    folder.mkdir()
    shutil.chown(folder, user)
    return folder


def run_on_host(*argv: str | Path) -> None:
    """What prepares a test: it is not what is tested."""
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


def wait_answer(port: int, question: bytes = b"") -> None:
    """Until the server itself answers there: a published port accepts before it does."""

    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                client.sendall(question)
                return bool(client.recv(1))
        except OSError:
            return False

    eventually(f"an answer on {port}", answers)
