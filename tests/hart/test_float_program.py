"""Compiled floating point, whole programs: the same memory afterwards here and on QEMU."""

from __future__ import annotations

import struct
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hart_machine import BASE, ENGINES, run_here, run_qemu

from minion.hart.config import Isa

ISA = Isa()
RAM_BYTES = 16 << 20
"""QEMU puts a device tree near the end."""
LIMIT = 5_000_000
NEEDS = ("riscv64-linux-gnu-gcc", "riscv64-linux-gnu-objcopy", "qemu-system-riscv64")
OPTIONS = {
    "fused": ["-O2"],
    "plain": ["-O1", "-ffp-contract=off"],
    "unoptimised": ["-O0"],
}

pytestmark = [pytest.mark.slow, pytest.mark.needs(*NEEDS)]


@cache
def image(options: str) -> tuple[bytes, int]:
    """The program for BASE, and where in it the results are."""
    gcc = ["riscv64-linux-gnu-gcc", "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-static"]
    gcc += ["-nostdlib", "-ffreestanding", "-fno-math-errno", "-frounding-math"]
    gcc += [
        "-fno-pie",
        "-no-pie",
        f"-Wl,-Ttext={BASE:#x},--build-id=none,--no-relax,--no-warn-rwx-segments",
        *OPTIONS[options],
    ]
    with TemporaryDirectory() as folder:
        elf, flat = Path(folder, "elf"), Path(folder, "flat")
        source = Path(__file__).with_name("float_program.c")
        subprocess.run([*gcc, source, "-o", elf], check=True)
        subprocess.run(["riscv64-linux-gnu-objcopy", "-O", "binary", elf, flat], check=True)
        nm = subprocess.run(
            ["riscv64-linux-gnu-nm", elf], check=True, stdout=subprocess.PIPE, text=True
        )
        symbols = {line.split()[2]: int(line.split()[0], 16) for line in nm.stdout.splitlines()}
        assert symbols["_start"] == BASE
        return flat.read_bytes(), symbols["results"] - BASE


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", OPTIONS)
def test_the_same_numbers_as_on_qemu(engine: str, options: str) -> None:
    code, at = image(options)
    ours = bytes(run_here(engine, ISA, code, RAM_BYTES, LIMIT))
    theirs = run_qemu(ISA, code, RAM_BYTES)
    results = struct.Struct("<512Q")
    here, there = results.unpack_from(ours, at), results.unpack_from(theirs, at)
    assert here == there
    assert ours[: len(code)] == theirs[: len(code)]
    (pi,) = struct.unpack_from("<d", ours, at)
    assert abs(pi - 3.14159) < 0.01
