"""python -m bench.hart: million instructions per second of the hart's engines, and of others.

Two programs in M mode (bench/machine_code): the checksum of RFC 1071 over 1,500 bytes, one hot
loop; and a mix of an interpreter, sorting and records, which is none.  All in the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.peers import FEW, PEERS, Work, mips
from bench.programs import BASE, FINISHER, PROGRAMS, RAM_BYTES, address, build
from minion.bus import Bus
from minion.cli.engines import Engine, engine
from minion.cli.options import UsageError
from minion.devices.finisher import LENGTH, Finisher
from minion.devices.lines import Lines
from minion.elf.image import Image, parse
from minion.hart.state import Hart, Stop
from minion.ram import Ram

FOREVER: Final = 1 << 30
SLICE: Final = 200_000
SAMPLE: Final = 50
"""Rounds: of the mix, no two are of the same length."""
WARM_S: Final = 1.0
TARGETS: Final = {
    "interpreter": 3.0,
    "translator": 25.0,
    "native": 250.0,
}
"""Our engines, and what they should reach: MIPS on the checksum."""

Make = Callable[[Hart], Engine]


def engines() -> tuple[dict[str, Make], list[str]]:
    """Those that are built here, and a line on each other one."""
    found: dict[str, Make] = {}
    absent: list[str] = []
    for name in TARGETS:
        try:
            found[name] = engine(name)
        except UsageError as error:
            absent.append(f"no column for {name}: {error}")
    return found, absent


class Program:
    """One program on a hart of its own, about to start."""

    def __init__(self, image: Image, rounds: int, make: Make) -> None:
        ram = Ram(RAM_BYTES, BASE)
        bus = Bus(ram)
        self.hart = Hart(bus, ram, Lines())
        finisher = Finisher(lambda _status: self.hart.stop(Stop.HALT), lambda: None)
        bus.attach(FINISHER, LENGTH, finisher)
        for segment in image.segments:
            start = segment.paddr - BASE
            ram.view[start : start + len(segment.data)] = segment.data
        self.hart.store(address(image, "rounds"), 4, rounds)
        self.hart.pc = image.entry
        self._result = address(image, "result")
        self._engine = make(self.hart)

    def mips(self, seconds: float) -> float:
        self._run(WARM_S)
        began, before = time.perf_counter(), self.hart.instret
        self._run(seconds)
        return (self.hart.instret - before) / (time.perf_counter() - began) / 1e6

    def _run(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            stop = self._engine.run(SLICE)
            assert stop is Stop.LIMIT, f"bench: the program ended ({stop.name})"

    def finish(self) -> tuple[int, int]:
        """Instructions to the end, and the result."""
        while self._engine.run(SLICE) is not Stop.HALT:
            pass
        return self.hart.instret, self.hart.load(self._result, 4)


def known(elf: Path) -> Work:
    """For the others: what the translator makes of the program."""
    image = parse(elf.read_bytes())
    make = engine("translator")
    few, result = Program(image, FEW, make).finish()
    more, _ = Program(image, FEW + SAMPLE, make).finish()
    return Work(elf, (more - few) / SAMPLE, result)


def measure(work: Work, makes: dict[str, Make], seconds: float) -> dict[str, float]:
    """One turn of everything that is there."""
    image = parse(work.elf.read_bytes())
    row = {name: Program(image, FOREVER, make).mips(seconds) for name, make in makes.items()}
    return row | {peer.name: mips(peer, work) for peer in PEERS if peer.installed}


def table(figures: dict[str, dict[str, float]]) -> str:
    lines = [f"{'MIPS':<12}" + "".join(f"{way:>14}" for way in figures[PROGRAMS[0]])]
    for name, row in figures.items():
        lines.append(f"{name:<12}" + "".join(f"{value:14,.4g}" for value in row.values()))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.hart", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="the median is shown (default: 3)")
    parser.add_argument("--seconds", type=float, default=1.5, help="per run (default: 1.5)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    args = parser.parse_args()
    makes, absent = engines()
    with tempfile.TemporaryDirectory() as folder:
        works = {name: known(build(Path(folder), name)) for name in PROGRAMS}
        turns = [
            {name: measure(work, makes, args.seconds) for name, work in works.items()}
            for _ in range(args.runs)
        ]
    figures = {
        name: {way: statistics.median(turn[name][way] for turn in turns) for way in row}
        for name, row in turns[0].items()
    }
    print(table(figures))
    absent += [f"no column for {peer.name}: not installed" for peer in PEERS if not peer.installed]
    print("".join(f"{line}\n" for line in absent), end="")
    for name in makes:
        value, target = figures["checksum"][name], TARGETS[name]
        verdict = "reached" if value >= target else "missed"
        print(f"checksum, {name}: {value:.1f} MIPS, target {target:g}: {verdict}")
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
