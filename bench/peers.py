"""Engines of others that execute the same programs to their end: QEMU, and from PyPI Unicorn and
tinyrv.  Each is measured by the time that more rounds take: what it needs to start, to read the
file and to translate costs nothing here.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bench.programs import BASE, FINISHER, RAM_BYTES, address, with_rounds
from minion.elf.image import Image, parse

QEMU: Final = "qemu-system-riscv64"
TIMEOUT_S: Final = 120
FEW: Final = 2
"""Rounds, with nothing new in the second one."""
PAGE: Final = 4096
STEPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    run: Callable[[Path], int | None]
    """Executes the file to its end.  What is in `result`; None where nobody can look."""
    instructions: int
    """To measure it with: one or two seconds of its time."""
    installed: bool


@dataclass(frozen=True, slots=True)
class Work:
    """A program, and what an engine of ours found out about it."""

    elf: Path
    instructions: float
    """In a round."""
    result: int
    """Of FEW rounds."""


def qemu(elf: Path) -> None:
    command = [QEMU, "-M", "virt", "-bios", "none", "-nographic", "-kernel", str(elf)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)


def unicorn(elf: Path) -> int:
    """With neither hooks nor a count: either would cost a call per instruction."""
    api = import_module("unicorn")
    machine = api.Uc(api.UC_ARCH_RISCV, api.UC_MODE_RISCV64)
    machine.mem_map(BASE, RAM_BYTES)
    machine.mmio_map(FINISHER, PAGE, None, None, lambda *_store: machine.emu_stop(), None)
    image = loaded(elf, machine.mem_write)
    machine.emu_start(image.entry, 0)
    return int.from_bytes(machine.mem_read(address(image, "result"), 4), "little")


def tinyrv(elf: Path) -> int:
    """By step(): run() also looks for breakpoints, and takes 8 % longer."""
    machine = import_module("tinyrv").sim(64, trap_misaligned=False)
    image = loaded(elf, machine.copy_in)
    machine.pc = image.entry
    step = machine.step
    while not machine.load("I", FINISHER):  # it is plain memory there; after it: a jump to itself
        for _ in range(STEPS):
            step(False)
    return int(machine.load("I", address(image, "result")))


def loaded(elf: Path, write: Callable[[int, bytes], object]) -> Image:
    image = parse(elf.read_bytes())
    for segment in image.segments:
        write(segment.paddr, bytes(segment.data))
    return image


PEERS: Final = (
    Peer("qemu", qemu, 2_000_000_000, shutil.which(QEMU) is not None),
    Peer("unicorn", unicorn, 300_000_000, find_spec("unicorn") is not None),
    Peer("tinyrv", tinyrv, 400_000, find_spec("tinyrv") is not None),
)


def mips(peer: Peer, work: Work) -> float:
    """SystemExit if its result is not ours."""
    more = max(1, round(peer.instructions / work.instructions))
    times: list[float] = []
    for rounds in (FEW, FEW + more):
        elf = with_rounds(work.elf, rounds)
        began = time.perf_counter()
        result = peer.run(elf)
        times.append(time.perf_counter() - began)
        if rounds == FEW and result is not None and result != work.result:
            sys.exit(f"bench: {work.elf.name}: {result} by {peer.name}, {work.result} by us")
    return more * work.instructions / (times[1] - times[0]) / 1e6
