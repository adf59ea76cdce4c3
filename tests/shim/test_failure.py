"""Nobody there, somebody dying, somebody who must be started."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from folders import open_folder
from preload import HERE, PROGRAMS, TIMEOUT_S, Done, Driver, clean_env, run_bounded

Preloaded = Callable[..., Done]
Compiled = Callable[[str], str]
NETDOWN = str(errno.ENETDOWN)


def test_the_minion_dies(own_driver: Driver, library: Path) -> None:
    env = clean_env() | {"LD_PRELOAD": str(library), "MINION": str(own_driver.control)}
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "survivor.py"), str(server.getsockname()[1])],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert program.stdin
        assert program.stdout
        again = None
        try:
            assert program.stdout.readline() == "connected\n", program.communicate()
            own_driver.kill()
            assert program.stdout.readline() == "lost\n", program.communicate()
            own_driver.control.unlink()
            again = Driver(own_driver.control)
            out, err = program.communicate("again\n", timeout=TIMEOUT_S)
            assert out == "back\n", err
        finally:
            program.kill()
            program.communicate()
            if again:
                again.kill()


@pytest.mark.slow
def test_connect_is_interrupted(preloaded: Preloaded, compiled: Compiled) -> None:
    done = preloaded(compiled("handlers"), "192.0.2.1")  # the fake driver never gets there
    assert done.returncode == 0, done.stderr


class Home:
    """A runtime directory and a launcher, and what became of them."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.dir = folder / "run"
        self.dir.mkdir(mode=0o700)
        self.launcher = folder / "launch"
        self.launcher.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE}/fake_minion.py "$@"\n')
        self.launcher.chmod(0o700)
        self.env = clean_env() | {"LD_PRELOAD": str(library), "MINION_DIR": str(self.dir)}

    def record(self, name: str) -> dict[str, object]:
        record: dict[str, object] = json.loads((self.dir / name / "record").read_text())
        return record


@pytest.fixture
def home(library: Path) -> Iterator[Home]:
    with open_folder("home") as folder:  # and a short one: it is in names of sockets
        one = Home(folder, library)
        yield one
        for pid in one.dir.glob("*/pid"):
            os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("ignored", [[], ["ignored"]])
def test_autostart(home: Home, compiled: Compiled, ignored: list[str]) -> None:
    env = home.env | {"MINION_EXE": str(home.launcher)}
    command = [compiled("starter"), "0", *ignored]
    done = run_bounded(command, env, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    assert home.record("default") == {
        "argv": ["up", "default", "--auto", "--linger", "10"],
        "preload": None,
        "blocked": "0" * 16,
        "fds": [0, 1, 2],
        "stdin": "/dev/null",
        "stdout": "/dev/null",
    }
    assert run_bounded(command, home.env).returncode == 0  # it is up: no launcher needed


@pytest.mark.slow
def test_launcher_in_the_runtime_directory(home: Home, compiled: Compiled) -> None:
    (home.dir / "launcher").symlink_to(home.launcher)
    done = run_bounded([compiled("starter")], home.env | {"MINION": "other"})
    assert (done.returncode, done.stderr) == (0, "")
    assert home.record("other")["argv"] == ["up", "other", "--auto", "--linger", "10"]


def test_launcher_in_path(home: Home, compiled: Compiled, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "minion").symlink_to(home.launcher)
    path = f"{folder}:{os.environ['PATH']}"
    done = run_bounded([compiled("starter")], home.env | {"PATH": path})
    assert (done.returncode, done.stderr) == (0, "")


def test_launcher_of_the_venv(home: Home, compiled: Compiled, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    package = venv / "lib" / "python3" / "site-packages" / "minionsocket"
    package.mkdir(parents=True)
    (venv / "bin").mkdir()
    (venv / "bin" / "minion").symlink_to(home.launcher)
    copy = shutil.copy(home.env["LD_PRELOAD"], package)
    done = run_bounded([compiled("starter")], home.env | {"LD_PRELOAD": str(copy)})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("env", "complaint"),
    [
        ({"FAKE_MINION_FAILS": "1"}, "could not start minion default; run `minion up`"),
        ({"MINION_EXE": "/no/such"}, "cannot run the command that starts minion default"),
        ({"MINION": "a" * 70}, "MINION is not a name: aaa"),
        ({"MINION": "-x"}, "MINION is not a name: -x"),
        ({"MINION": "./" + "a" * 90}, "MINION is too long a path: ./aaa"),
        ({"MINION_DIR": "/" + "a" * 80}, "the runtime directory's path is too long"),
        ({"MINION_DIR": "/usr"}, "will not use /usr: it must be a directory of yours"),
        ({"MINION": "/no/such"}, "no minion can be reached at /no/such: none answers"),
    ],
)
def test_complaints(home: Home, compiled: Compiled, env: dict[str, str], complaint: str) -> None:
    env = home.env | {"MINION_EXE": str(home.launcher)} | env
    done = run_bounded([compiled("starter"), NETDOWN], env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("minion: " + complaint)
    assert done.stderr.count("\n") == 1  # once, however often it is tried


def test_a_stranger_is_not_trusted(home: Home, compiled: Compiled) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can pretend to be somebody else")
    os.chown(home.dir, 65534, 65534)
    done = run_bounded([compiled("starter"), NETDOWN], home.env)
    assert done.returncode == 0, done.stderr
    assert "it must be a directory of yours" in done.stderr
