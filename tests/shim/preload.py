"""Running programs on a fake driver: bounded, and ending only what was started here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAMS = HERE / "programs"
TIMEOUT_S = 120

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


class Driver:
    """A fake driver in its own process."""

    def __init__(self, control: Path) -> None:
        self.control = control
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "fake_driver.py"), str(control)], stdout=subprocess.PIPE
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


def run_bounded(
    command: list[str], env: dict[str, str], **more: object
) -> subprocess.CompletedProcess[str]:
    """In its own session, so that a run which hangs can be ended with all its children."""
    process = subprocess.Popen(
        command,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,  # type: ignore[call-overload]
    )
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{command} hung\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def clean_env() -> dict[str, str]:
    """Without what would send a test's socket elsewhere."""
    unwanted = ("MINION", "LD_PRELOAD", "XDG_RUNTIME_DIR")
    return {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}


def command_of(name: str, compiled: Callable[[str], str]) -> list[str]:
    if name.endswith(".py"):
        return [sys.executable, str(PROGRAMS / name)]
    return [compiled(name)]
