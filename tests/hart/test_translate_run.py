"""Traps, interrupts, limits and odd addresses in code that is not interpreted plainly."""

from __future__ import annotations

import pytest
from hart_machine import BASE, CLINT, FINISHER, Machine
from translate_program import EAGER, Other, Program, Side, agree, sides, skip_instruction

from minion.hart.config import Isa
from minion.hart.cost import LOWRISC, ROCKET, Cost
from minion.hart.csr import MIE, MSTATUS, MTVEC
from minion.hart.interpreter import Interpreter
from minion.hart.native.engine import Native
from minion.hart.state import Stop
from minion.hart.translate.translator import Translator

pytestmark = pytest.mark.parametrize("other", [EAGER, Native], ids=["translator", "native"])
RUN = 20_000
END = BASE + (1 << 18)


def summing(step: int = 8, load: str = "ld") -> Program:
    """x10 += what x6 points to; x11 counts; until something stops it."""
    p = Program()
    p.label("loop")
    p.put(load, 7, 6, 0)
    p.put("add", 10, 10, 7)
    p.put("addi", 6, 6, step)
    p.put("addi", 11, 11, 1)
    p.put("bne", 6, 0, "loop")
    return p


def at(side: Side, **registers: int) -> None:
    for name, value in registers.items():
        side.hart.x[int(name[1:])] = value


def both(sides: tuple[Side, Side], **registers: int) -> tuple[Side, Side]:
    for side in sides:
        at(side, **registers)
    return sides


@pytest.mark.parametrize("load", ["ld", "lw", "lhu", "lb"])
@pytest.mark.parametrize("step", [8, 3, 2047])
def test_a_loop_runs_off_the_end_of_ram(other: Other, step: int, load: str) -> None:
    """Over pages, aligned or not; the last access may lie partly outside."""
    pair = both(sides(summing(step, load), other), x6=END - 2 * 4096 - 5)
    last = agree(*pair, [RUN])
    assert (last.stop, last.cause) == (Stop.MONITOR, 5)
    assert other is Native or pair[1].units or step == 2047


@pytest.mark.parametrize("cost", [LOWRISC, ROCKET])
def test_cycles_at_a_trap(other: Other, cost: Cost) -> None:
    p = Program()
    p.label("loop")
    p.put("mul", 7, 11, 11)
    p.put("beq", 11, 8, "skip")
    p.put("sd", 7, 6, 0)
    p.label("skip")
    p.put("addi", 11, 11, 1)
    p.put("addi", 6, 6, 8)
    p.put("div", 9, 7, 11)
    p.put("jal", 0, "loop")
    pair = both(sides(p, other, cost=cost), x6=END - 8000, x8=60)
    last = agree(*pair, [100, 1000, 777, RUN])
    assert last.cause == 7
    assert last.cycles > last.instret


def test_traps_again_and_again(other: Other) -> None:
    """A load that faults every other time, in the middle of a loop."""
    p = Program()
    p.li(12, END - 8)
    p.li(13, END)
    p.label("loop")
    p.put("addi", 10, 10, 1)
    p.put("ld", 7, 12, 0)
    p.put("addi", 11, 11, 1)
    p.put("xor", 14, 12, 13)
    p.put("xor", 12, 12, 14)
    p.put("xor", 13, 13, 14)
    p.put("jal", 0, "loop")
    last = agree(*sides(p, other), [500] * 60, skip_instruction)
    assert last.x[10] == 60


@pytest.mark.parametrize("limit", [1, 2, 7, 383, 384, 385, 386, 400, 1001])
def test_limits_are_exact(other: Other, limit: int) -> None:
    pair = both(sides(summing(), other), x6=BASE + 4096)
    for n in range(1, 12):
        assert agree(*pair, [limit]).instret == n * limit


def test_an_interrupt_in_a_hot_loop(other: Other) -> None:
    """The loop raises it itself, by storing to the CLINT, once in 64 rounds."""
    p = Program()
    p.la(6, "handler")
    p.put("csrrw", 0, MTVEC, 6)
    p.put("csrrsi", 0, MIE, 8)
    p.put("csrrsi", 0, MSTATUS, 8)
    p.li(7, CLINT)
    p.label("loop")
    p.put("addi", 10, 10, 1)
    p.put("andi", 8, 10, 63)
    p.put("bne", 8, 0, "loop")
    p.put("addi", 9, 0, 1)
    p.put("sw", 9, 7, 0)
    p.put("addi", 12, 12, 1)
    p.put("jal", 0, "loop")
    p.label("handler")
    p.put("sw", 0, 7, 0)
    p.put("addi", 11, 11, 1)
    p.put("mret")
    pair = sides(p, other)
    for side in pair:
        side.hart.monitor = False
        side.run(RUN)
        h = side.hart
        assert h.x[10] > 6000
        assert h.x[11] in (h.x[10] // 64, h.x[10] // 64 - 1)


def test_a_device_read_in_a_loop_sees_the_interrupt(other: Other) -> None:
    """A loop that polls a device is left once that has raised an interrupt."""
    p = Program()
    p.label("loop")
    p.put("lw", 8, 7, 0)
    p.put("addi", 10, 10, 1)
    p.put("beq", 0, 0, "loop")
    for side in both(sides(p, other), x7=0x5000_0000):
        side.machine.bus.attach(0x5000_0000, 4096, Counting(side.machine))
        side.hart.csr.write(MIE, 8)
        side.hart.csr.write(MSTATUS, 8)
        seen = side.run(RUN)
        assert (seen.stop, seen.cause) == (Stop.MONITOR, 1 << 63 | 3)
        assert seen.x[10] in (999, 1000, 1001)


class Counting:
    """A device that raises an interrupt at its thousandth read."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._reads = 0

    def read(self, offset: int, size: int, /) -> int:
        self._reads += 1
        if self._reads == 1000:
            self._machine.lines.set(1 << 3)
        return self._reads

    def write(self, offset: int, size: int, value: int, /) -> None:
        pass


def test_stopped_by_a_store(other: Other) -> None:
    """The finisher ends the run right after the instruction that stored to it."""
    p = Program()
    p.label("loop")
    p.put("addi", 10, 10, -1)
    p.put("bne", 10, 0, "loop")
    p.li(6, FINISHER)
    p.li(7, 0x5555)
    p.put("sw", 7, 6, 0)
    p.label("on")
    p.put("addi", 11, 11, 1)
    p.put("jal", 0, "on")
    pair = both(sides(p, other), x10=5000)
    for side in pair:
        assert side.run(RUN).stop is Stop.HALT
        assert side.machine.status == 0


def test_addresses_around_the_end_of_the_address_space(other: Other) -> None:
    """Bases that wrap, and page 0: where code must not assume that sums do not overflow."""
    p = Program()
    p.li(12, 8)
    p.label("loop")
    p.put("addi", 13, 13, 1)
    p.put("ld", 7, 11, 2040)
    p.put("addi", 11, 11, -2047)
    p.put("add", 11, 11, 14)
    p.put("ld", 7, 12, -16)
    p.put("addi", 12, 12, -1)
    p.put("jal", 0, "loop")
    pair = both(sides(p, other), x11=2**64 - 2040, x14=2047)
    agree(*pair, [777] * 20, skip_instruction)


@pytest.mark.parametrize("isa", [Isa(32, "imacsu")])
def test_ram_up_to_the_end_of_a_small_address_space(other: Other, isa: Isa) -> None:
    p = Program(isa)
    p.label("loop")
    p.put("lw", 7, 6, 4)
    p.put("addi", 6, 6, 4)
    p.put("add", 10, 10, 7)
    p.put("jal", 0, "loop")
    pair = both(sides(p, other, isa=isa), x6=END - 9000)
    assert agree(*pair, [RUN]).cause == 5


def test_pointers_that_jump_from_page_to_page(other: Other) -> None:
    """Accesses that turn often become scattered ones: all of it gives the same."""
    p = Program()
    p.label("loop")
    p.put("ld", 7, 6, 8)
    p.put("sd", 10, 6, 16)
    p.put("lw", 8, 6, 4)
    p.put("sb", 10, 6, -1)
    p.put("ld", 9, 6, -8)
    p.put("add", 10, 10, 7)
    p.put("add", 10, 10, 9)
    p.put("xor", 6, 6, 11)
    p.put("addi", 6, 6, 24)
    p.put("jal", 0, "loop")
    pair = both(sides(p, other), x6=BASE + 0x10000 - 16, x11=0x3000)
    agree(*pair, [5000] * 8)
    engine = pair[1].engine
    if isinstance(engine, Translator):
        assert engine.scattered


def test_an_instruction_across_pages(other: Other) -> None:
    p = Program()
    p.label("loop")
    p.put("addi", 10, 10, 1)
    p.put("jal", 0, "far")
    while p.here < 4096 - 4:
        p.word(0x00010001)  # c.nop twice
    p.label("far", 4096 - 6)
    code = bytearray(p.code())
    code += bytes(8192 - len(code))
    half = p.encoded("addi", 11, 11, 3)
    code[4092:4094] = b"\1\0"
    code[4094:4098] = half.to_bytes(4, "little")
    code[4098:4102] = p.encoded("jal", 0, (1 << 21) - 4098).to_bytes(4, "little")
    pair = sides(bytes(code), other)
    last = agree(*pair, [5000] * 3)
    assert last.x[11] > 3000


def test_breakpoints(other: Other) -> None:
    p = Program()
    p.label("loop")
    p.put("addi", 10, 10, 1)
    p.put("addi", 11, 11, 1)
    p.label("here")
    p.put("addi", 12, 12, 1)
    p.put("jal", 0, "loop")
    pair = sides(p, other)
    agree(*pair, [3000])
    for _ in range(3):
        for side in pair:
            side.hart.set_breakpoints([p.address("here")])
        last = agree(*pair, [RUN])
        assert (last.stop, last.pc) == (Stop.BREAK, p.address("here"))
        for side in pair:
            side.hart.set_breakpoints([])
        agree(*pair, [1000])


def test_a_debugger_that_watches(other: Other) -> None:
    """Who stands in for h.load sees every load."""
    pair = both(sides(summing(), other), x6=BASE)
    agree(*pair, [5000])
    side = pair[1]
    load = side.hart.load
    seen = []

    def watching(addr: int, size: int) -> int:
        seen.append(addr)
        return load(addr, size)

    side.hart.load = watching
    side.run(500)
    assert len(seen) == 100


def test_an_error_in_a_device_leaves_the_hart_as_it_was(other: Other) -> None:
    p = Program()
    p.label("loop")
    p.put("addi", 10, 10, 1)
    p.put("lw", 8, 7, 0)
    p.put("addi", 11, 11, 1)
    p.put("jal", 0, "loop")
    side = both(sides(p, other), x7=BASE + 4096)[1]
    side.run(4000)
    side.machine.bus.attach(0x5000_0000, 4096, Broken())
    at(side, x7=0x5000_0000)
    before = side.hart.instret
    with pytest.raises(AssertionError, match="broken"):
        side.run(4000)
    h = side.hart
    assert (h.pc, h.x[10], h.x[11], h.instret - before) == (BASE + 4, 1001, 1000, 1)


class Broken:
    def read(self, offset: int, size: int, /) -> int:
        raise AssertionError("broken")

    def write(self, offset: int, size: int, value: int, /) -> None:
        raise AssertionError("broken")


def test_two_engines_on_one_hart(other: Other) -> None:
    """A debugger may step with one and run with the other."""
    side = sides(summing(), other)[1]
    at(side, x6=BASE + 4096)
    h = side.hart
    other = Interpreter(h)
    for n in range(1, 20):
        assert side.engine.run(1000) is Stop.LIMIT
        assert other.run(3) is Stop.LIMIT
        assert h.instret == 1003 * n
    assert EAGER.hot == 2
