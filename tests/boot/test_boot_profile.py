"""The profile: every instruction counted once, whatever interrupts the blocks it is in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from debugging import BASE, LOOP, PROGRAM, image
from elves import Elf
from rig import Rig
from toolchain import GCC, build

from minion.cli.profile import by_function, report
from minion.elf.image import parse
from minion.elf.structs import STT_FUNC
from minion.hart.cost import DEFAULT
from minion.hart.profile import Count, Profiler
from minion.hart.state import Hart


class Profiled(Rig):
    def _engine(self, hart: Hart) -> Profiler:
        self._hart = hart
        self.profiler = Profiler(hart)
        return self.profiler

    def counted(self) -> Counter[int]:
        counts: Counter[int] = Counter()
        for count in self.profiler.counts():
            counts[count.pc] += count.instructions
        return counts


def test_each_instruction() -> None:
    rig = Profiled(image())
    assert rig.run() == (b"", 0)
    counts = rig.counted()
    for offset in PROGRAM:
        expected = 10 if LOOP <= BASE + offset < BASE + 0x20 else 1
        assert counts[BASE + offset] == (0 if offset == 0x40 else expected), hex(offset)
    assert [counts[0x1000 + 4 * n] for n in range(6)] == [1] * 6
    assert counts.total() == rig.machine.hart.instret


@pytest.mark.parametrize("limit", range(1, 40, 3))
def test_a_budget_that_ends_in_a_block(limit: int) -> None:
    rig = Profiled(image(), limit=limit)
    assert rig.run() == (b"", 124)
    assert rig.counted().total() == rig.machine.hart.instret == limit


def test_cycles() -> None:
    cost = replace(DEFAULT, load=3, taken=5)
    rig = Profiled(image(), cost=cost)
    rig.run()
    cycles = sum(count.cycles for count in rig.profiler.counts())
    assert cycles == rig.machine.hart.cycles
    assert cycles > rig.machine.hart.instret + 9 * 5


@pytest.mark.needs(GCC)
@pytest.mark.parametrize("name", ["timer", "tasks"])
def test_traps_and_interrupts(name: str) -> None:
    path = build(name)
    rig = Profiled(path)
    assert rig.run()[1] == 0
    assert rig.counted().total() == rig.machine.hart.instret
    rows = by_function(rig.profiler.counts(), [program.symbols for program in rig.machine.programs])
    names = [row[0] for row in rows]
    assert {"main", "trap", "vector", "(no symbol)"} <= set(names)
    assert sum(row[1] for row in rows) == rig.machine.hart.instret
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)


def test_the_report() -> None:
    symbols = [("f", BASE, 8, STT_FUNC), ("g", BASE + 8, 8, STT_FUNC)]
    table = parse(Elf(symbols=symbols).bytes()).symbols
    counts = [Count(BASE, 10, 20), Count(BASE + 4, 20, 20), Count(BASE + 8, 69, 69), Count(0, 1, 2)]
    lines = list(report(by_function(counts, [table])))
    assert [line.split() for line in lines] == [
        ["instructions", "%", "cycles", "function"], ["69", "69.00", "69", "g"],
        ["30", "30.00", "40", "f"], ["1", "1.00", "2", "(no", "symbol)"],
        ["100", "100.00", "111", "in", "all"],
    ]  # fmt: skip
    assert list(report([])) == []
    many = [(f"f{n}", 100 - n, 1) for n in range(50)]
    assert "(10 more functions)" in list(report(many))[-2]
