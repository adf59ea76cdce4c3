"""The same ELF on QEMU (whose system calls the host's Linux carries out) and on the minion."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from conftest import Build
from world import MINION, World

pytestmark = [pytest.mark.slow, pytest.mark.needs("qemu-riscv64")]


def on_qemu(program: Path, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["qemu-riscv64", "-E", "A=1", "-E", "B=two words", program, *args],
        env={"PATH": "/usr/bin:/bin"}, input=stdin, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["memory", "files", "sockets", "behaviour", "threads", "sync", "mix", "jit"]
)
def test_it_prints_the_same(world: World, build: Build, name: str) -> None:
    program = build(name)
    wanted = on_qemu(program)
    found = world.minion("app", "--", program)
    assert found.out.splitlines() == wanted.stdout.splitlines()
    assert (found.code, found.err) == (wanted.returncode, wanted.stderr)


def test_arguments_environment_and_streams(world: World, build: Build) -> None:
    program = build("args")
    wanted = on_qemu(program, "one", "two words", "", stdin="first\nlast\n")
    app = world.start(MINION, "app", "-e", "A=1", "-e", "B=two words", "--", program,
                      "one", "two words", "", stdin=True)  # fmt: skip
    app.say("first\nlast\n")
    found = app.finish()
    ours = [line for line in wanted.stdout.splitlines() if not line.startswith("PATH=")]
    assert sorted(found.out.splitlines()) == sorted(ours)  # QEMU turns the environment around
    assert (found.code, found.err) == (42, "to stderr\n")


def test_a_megabyte_of_sha256(world: World, build: Build) -> None:
    state, data = 1, bytearray()
    for _ in range(1 << 20):
        state = state * 1103515245 + 12345 & 0xFFFF_FFFF
        data.append(state >> 16 & 0xFF)
    found = world.minion("app", "--", build("sha256"), timeout_s=300)
    assert found.ok().out.strip() == hashlib.sha256(data).hexdigest()
