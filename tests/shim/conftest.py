"""Builds the client once per session, and runs programs on a fake driver."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from folders import made_once
from preload import PROGRAMS, ROOT, Done, Driver, Run, clean_env, command_of, run_bounded


def build(folder: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(folder)]
    done = subprocess.run(
        [*command, "--build-temp", str(folder / "temp")],
        cwd=ROOT,
        env={**os.environ, "CFLAGS": "-Werror"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shutil.copytree(ROOT / "shim" / "minionsocket", folder / "minionsocket", dirs_exist_ok=True)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with minionsocket/libminion.so and _minionsocket, as setup.py makes them."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    return made_once(tmp_path_factory, "built", build)


@pytest.fixture(scope="session")
def library(built: Path) -> Path:
    return built / "minionsocket" / "libminion.so"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Shared by a file's tests: they do not disturb it."""
    one = Driver(tmp_path_factory.mktemp("d") / "control")
    yield one
    assert one.process.poll() is None
    one.kill()


@pytest.fixture
def own_driver(tmp_path: Path) -> Iterator[Driver]:
    """For a test that kills it."""
    one = Driver(tmp_path / "control")
    yield one
    one.kill()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    folder = tmp_path_factory.mktemp("compiled")

    def compile_(name: str) -> str:
        program = folder / name
        if not program.exists():
            flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-D_FORTIFY_SOURCE=2"]
            source = PROGRAMS / f"{name}.c"
            subprocess.run(["cc", *flags, "-pthread", "-o", str(program), str(source)], check=True)
        return str(program)

    return compile_


@pytest.fixture(params=["libc", "minion"])
def run(
    request: pytest.FixtureRequest,
    driver: Driver,
    library: Path,
    compiled: Callable[[str], str],
) -> Run:
    """The same program on libc and on the minion: both must be content with what they see."""

    def run_(name: str, *args: str) -> Done:
        env = clean_env()
        if request.param == "minion":
            env |= {"LD_PRELOAD": str(library), "MINION": str(driver.control)}
        done = run_bounded([*command_of(name, compiled), *args], env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run_


@pytest.fixture
def preloaded(driver: Driver, library: Path) -> Callable[..., Done]:
    """Any command under libminion.so."""

    def run_(*command: str, **env: str) -> Done:
        settings = {"LD_PRELOAD": str(library), "MINION": str(driver.control)}
        return run_bounded(list(command), clean_env() | settings | env)

    return run_
