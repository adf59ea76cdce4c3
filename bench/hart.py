"""python -m bench.hart: million instructions per second of the hart's engines, and of others.

Two programs in M mode (bench/machine_code): the checksum of RFC 1071 over 1,500 bytes, one hot
loop; and a mix of an interpreter, sorting and records, which is none.  All in the same run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from minion.bus import Bus
from minion.devices.finisher import LENGTH, Finisher
from minion.devices.lines import Lines
from minion.elf.image import Image, parse
from minion.hart.interpreter import Interpreter
from minion.hart.state import Hart, Stop
from minion.hart.translate.translator import Translator
from minion.ram import Ram

HERE: Final = Path(__file__).parent / "machine_code"
PROGRAMS: Final = ("checksum", "mixed")
COMPILERS: Final = ("riscv64-linux-gnu-gcc", "riscv64-unknown-elf-gcc")
QEMU: Final = "qemu-system-riscv64"
FLAGS: Final = [
    "-O2", "-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-nostdlib", "-nostartfiles",
    "-ffreestanding", "-static", "-fno-tree-loop-distribute-patterns",
    "-Wl,-Ttext=0x80000000,-N,--build-id=none,-e,_start",
]  # fmt: skip
RAM_BYTES: Final = 16 << 20
BASE: Final = 0x8000_0000
FINISHER: Final = 0x10_0000
FOREVER: Final = 1 << 30
SLICE: Final = 200_000
TARGETS: Final = {"interpreter": 3.0, "translator": 25.0}
"""MIPS on the checksum."""


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


class Program:
    """One program on a hart of its own, about to start."""

    def __init__(
        self, image: Image, rounds: int, make: Callable[[Hart], Interpreter | Translator]
    ) -> None:
        ram = Ram(RAM_BYTES, BASE)
        bus = Bus(ram)
        self.hart = Hart(bus, ram, Lines())
        finisher = Finisher(lambda _status: self.hart.stop(Stop.HALT), lambda: None)
        bus.attach(FINISHER, LENGTH, finisher)
        for segment in image.segments:
            start = segment.paddr - BASE
            ram.view[start : start + len(segment.data)] = segment.data
        place = image.symbols.address("rounds")
        assert place is not None
        ram.view[place - BASE : place - BASE + 4] = rounds.to_bytes(4, "little")
        self.hart.pc = image.entry
        self.engine = make(self.hart)

    def mips(self, seconds: float) -> float:
        """After a second's warming up."""
        self._run(1.0)
        began, before = time.perf_counter(), self.hart.instret
        self._run(seconds)
        return (self.hart.instret - before) / (time.perf_counter() - began) / 1e6

    def _run(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            stop = self.engine.run(SLICE)
            assert stop is Stop.LIMIT, f"bench: the program ended ({stop.name})"

    def count(self) -> int:
        """Instructions to the end."""
        while self.engine.run(SLICE) is not Stop.HALT:
            pass
        return self.hart.instret


def with_rounds(elf: Path, image: Image, rounds: int) -> Path:
    """A copy of the file with another number of rounds in it."""
    place = image.symbols.address("rounds")
    assert place is not None
    segment = next(s for s in image.segments if s.vaddr <= place < s.vaddr + len(s.data))
    data = bytearray(elf.read_bytes())
    at = bytes(data).index(bytes(segment.data)) + place - segment.vaddr
    data[at : at + 4] = rounds.to_bytes(4, "little")
    made = elf.with_name(f"{elf.name}-{rounds}")
    made.write_bytes(data)
    return made


def qemu_mips(elf: Path, image: Image) -> float:
    """Of the time that more rounds take: starting QEMU costs nothing here."""
    one = Program(image, 1, Translator).count()
    each = Program(image, 2, Translator).count() - one
    times: dict[int, float] = {}
    few, many = 1, max(2, 2_000_000_000 // each)
    for rounds in (few, many):
        path = with_rounds(elf, image, rounds)
        command = [QEMU, "-M", "virt", "-bios", "none", "-nographic", "-kernel", str(path)]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=120)
        times[rounds] = time.perf_counter() - began
    return (many - few) * each / (times[many] - times[few]) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.hart", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="the median is shown (default: 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="per run (default: 2)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in PROGRAMS:
            elf = build(Path(folder), name)
            image = parse(elf.read_bytes())
            engines = {"interpreter": Interpreter, "translator": Translator}
            found: dict[str, list[float]] = {engine: [] for engine in engines}
            for _ in range(args.runs):
                for engine, make in engines.items():
                    found[engine].append(Program(image, FOREVER, make).mips(args.seconds))
            row = {engine: statistics.median(values) for engine, values in found.items()}
            if shutil.which(QEMU) is not None:
                row["qemu"] = qemu_mips(elf, image)
            figures[name] = row
    print(f"{'MIPS':<12}" + "".join(f"{way:>14}" for way in figures[PROGRAMS[0]]))
    for name, row in figures.items():
        print(f"{name:<12}" + "".join(f"{value:14.1f}" for value in row.values()))
    if shutil.which(QEMU) is None:
        print(f"{QEMU} is not installed: no row for it")
    for engine, target in TARGETS.items():
        value = figures["checksum"][engine]
        verdict = "reached" if value >= target else "missed"
        print(f"checksum, {engine}: {value:.1f} MIPS, target {target:g}: {verdict}")
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
