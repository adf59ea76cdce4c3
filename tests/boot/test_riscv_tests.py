"""tools/riscv-tests: which tests it runs, and what it says of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from elves import BASE, Elf, Load

from minion.elf import structs

ROOT = Path(__file__).resolve().parents[2]
TOHOST = 64
STT_OBJECT = 1


def program(xlen: int, value: int) -> bytes:
    """Stores `value` in tohost, in two halves as the tests do; 0: goes round in circles."""
    words = [
        value << 20 | 3 << 7 | 0x13,  # addi gp, zero, value
        0x0000_0297,  # auipc t0, 0
        store(3, TOHOST - 4),
        store(0, TOHOST),
        0x0000_006F,  # j .
    ]
    code = b"".join(word.to_bytes(4, "little") for word in words)
    load = Load(data=code.ljust(TOHOST + 8, b"\0"), flags=7)
    symbols = [("tohost", BASE + TOHOST, 8, STT_OBJECT)]
    return Elf(xlen=xlen, machine=structs.EM_RISCV, loads=[load], symbols=symbols).bytes()


def store(source: int, offset: int) -> int:
    """sw source, offset(t0)"""
    return (offset >> 5) << 25 | source << 20 | 5 << 15 | 2 << 12 | (offset & 31) << 7 | 0x23


def run(*args: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "riscv-tests"), *args],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.slow
def test_each_on_its_hart(tmp_path: Path) -> None:
    (tmp_path / "rv64ui-p-good").write_bytes(program(64, 1))
    (tmp_path / "rv32ui-p-good").write_bytes(program(32, 1))
    (tmp_path / "rv64uzba-p-other").write_bytes(program(64, 3))
    (tmp_path / "rv64ui-p-good.dump").write_text("listing")
    (tmp_path / "Makefile").write_text("all:")
    assert run(str(tmp_path)) == (0, ["2 of 2 passed; 1 not for this hart"])
    (tmp_path / "rv64mi-p-bad").write_bytes(program(64, 2 * 7 + 1))
    status, lines = run(str(tmp_path), "interpreter")
    assert status == 1
    assert lines == ["rv64mi-p-bad: test 7", "2 of 3 passed; 1 not for this hart"]


@pytest.mark.slow
def test_one_that_does_not_end(tmp_path: Path) -> None:
    (tmp_path / "rv64si-p-round-and-round").write_bytes(program(64, 0))
    status, lines = run(str(tmp_path))
    assert (status, lines[0]) == (1, "rv64si-p-round-and-round: no end")


@pytest.mark.slow
def test_nothing_to_run(tmp_path: Path) -> None:
    assert run(str(tmp_path)) == (1, ["0 of 0 passed; 0 not for this hart"])
    assert run() == (2, ["usage: riscv-tests FOLDER [ENGINE]"])
