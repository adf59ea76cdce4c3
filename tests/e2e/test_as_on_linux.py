"""Small C programs, one per topic, on the host's sockets and on a minion: they must see the same.

Where poll may say another thing, tests/support/differences.py has the row.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from differences import difference, mask_of
from world import MINION, World

pytestmark = [pytest.mark.slow, pytest.mark.lines("dma", "serial")]
PROGRAMS = Path(__file__).with_name("programs")
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-D_FORTIFY_SOURCE=2", "-pthread")
LIMIT_S = 120.0
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root: run the tests as root")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("programs")

    def compile_(name: str) -> Path:
        program = folder / name
        if not program.exists():
            source = PROGRAMS / f"{name}.c"
            subprocess.run(["cc", *FLAGS, "-o", program, source], check=True)
        return program

    return compile_


def lines(output: str) -> list[tuple[str, str]]:
    """Label and value of each line."""
    found = []
    for line in output.splitlines():
        label, _, value = line.partition("\t")
        found.append((label, value.strip()))
    return found


def agree(host: str, minion: str) -> bool:
    """As lines say it: the same, or what a row of the differences says."""
    first, second = mask_of(host), mask_of(minion)
    if host == minion:
        return True
    return first is not None and second is not None and difference(first, second) is not None


def compare(world: World, program: Path, *args: str) -> None:
    copy = world.files / program.name  # where a plain user can run it
    shutil.copy(program, copy)
    both = [world.start(*start, copy, *args) for start in ((), (MINION, "run", "--"))]
    host, minion = (lines(world.finish(program, LIMIT_S).ok().out) for program in both)
    assert [label for label, _ in host] == [label for label, _ in minion]
    assert host
    assert not [
        f"{label}: linux {ours!r}, minion {theirs!r}"
        for (label, ours), (_, theirs) in zip(host, minion, strict=True)
        if not agree(ours, theirs)
    ]


@pytest.mark.parametrize(
    "name",
    [
        "interrupted",
        "refused",
        "disconnected",
        "shut_down",
        "listeners",
        "masks",
        "after_reset",
        "blocked",
        "sandboxed",
        "filtered",
        "pieces",
        "listener_reads",
        "late_data",
        "linger",
        "ports",
        "flags",
    ],
)
def test_program(world: World, compiled: Callable[[str], Path], name: str) -> None:
    compare(world, compiled(name))


def test_low_water(world: World, compiled: Callable[[str], Path]) -> None:
    """With what Linux said when nothing else was going on.

    A host whose TCP is short of memory, as it is while other tests fill it, wakes readers at once
    (tcp_rmem_pressure()): it cannot be asked here.
    """
    linux = lines((PROGRAMS / "low_water.linux").read_text())
    program = compiled("low_water")
    minion = lines(world.run(MINION, "run", "--", program, timeout_s=LIMIT_S).ok().out)
    assert minion == linux


@as_root
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", ["chroot", "tmp", "uid"])
def test_locked_in(world: World, compiled: Callable[[str], Path], way: str, when: str) -> None:
    """before: its first socket is made when the door has closed."""
    compare(world, compiled("locked_in"), way, when)


@as_root
def test_threads_behind_a_chroot(world: World, compiled: Callable[[str], Path]) -> None:
    compare(world, compiled("crowded"))
