"""The programs of bench/machine_code, built for one machine: RAM from BASE, and a finisher."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from minion.elf.image import Image, parse

HERE: Final = Path(__file__).parent / "machine_code"
PROGRAMS: Final = ("checksum", "mixed")
COMPILERS: Final = ("riscv64-linux-gnu-gcc", "riscv64-unknown-elf-gcc")
FLAGS: Final = [
    "-O2", "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-nostdlib", "-nostartfiles",
    "-ffreestanding", "-static", "-fno-tree-loop-distribute-patterns",
    "-Wl,-Ttext=0x80000000,-N,--build-id=none,-e,_start",
]  # fmt: skip
RAM_BYTES: Final = 16 << 20
BASE: Final = 0x8000_0000
FINISHER: Final = 0x10_0000
"""Any store there is the end."""


def build(folder: Path, name: str) -> Path:
    """The ELF file of one program.  SystemExit without a cross-compiler."""
    compiler = next((c for c in COMPILERS if shutil.which(c)), None)
    if compiler is None:
        sys.exit(f"bench: a cross-compiler is needed: {' or '.join(COMPILERS)}")
    target = folder / name
    sources = [HERE / "start.S", HERE / f"{name}.c"]
    subprocess.run(
        [compiler, *FLAGS, "-o", target, *sources], check=True, capture_output=True
    )  # not a word about its one segment, which is read, written and executed
    return target


def address(image: Image, name: str) -> int:
    """Of a word of start.S: `rounds`, how many to do, or `result`, what came of them."""
    place = image.symbols.address(name)
    assert place is not None, name
    return place


def with_rounds(elf: Path, rounds: int) -> Path:
    """A copy of the file with another number of rounds in it."""
    data = bytearray(elf.read_bytes())
    image = parse(bytes(data))
    place = address(image, "rounds")
    segment = next(s for s in image.segments if s.vaddr <= place < s.vaddr + len(s.data))
    at = data.index(bytes(segment.data)) + place - segment.vaddr
    data[at : at + 4] = rounds.to_bytes(4, "little")
    made = elf.with_name(f"{elf.name}-{rounds}")
    made.write_bytes(data)
    return made
