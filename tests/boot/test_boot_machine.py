"""The machine between its slices: when it wants to run again, what wakes it, what it counts."""

from __future__ import annotations

import pytest
from debugging import BASE, image
from elves import Elf, Load
from rig import ENGINES, Rig

from minion.boot import loader
from minion.boot.machine import Machine, Setup
from minion.elf.image import ElfError
from minion.hart.config import RV64
from minion.hart.interpreter import Interpreter
from minion.hart.state import Hart, Stop
from minion.ram import Ram

WFI = {0x00: 0x10500073, 0x04: 0xFFDFF06F}
SPIN = {0x00: 0x0000006F}
PASS = (0x00100737, 0x000057B7, 0x55578793, 0x00F72023, 0x0000006F)
"""Stores 0x5555 into the finisher."""


FAULTY = 0x0500_0000
TOUCH = {0x00: 0x05000537, 0x04: 0x00052583, 0x08: 0x0000006F}
"""lui a0, FAULTY; lw a1, 0(a0); j ."""


class Faulty:
    """A device with a fault of ours in it."""

    def read(self, _offset: int, _size: int) -> int:
        raise RuntimeError("on purpose")

    def write(self, _offset: int, _size: int, _value: int) -> None:
        raise RuntimeError("on purpose")


class Counting(Interpreter):
    runs = 0

    def run(self, limit: int) -> Stop:
        self.runs += 1
        return super().run(limit)


def waiting(hart_mie: int = 0) -> Rig:
    """In wfi, with these interrupts enabled in mie."""
    rig = Rig(image(WFI))
    rig.machine.hart.csr.write(0x304, hart_mie)
    while rig.turn():
        pass
    return rig


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fault_of_ours_is_the_end_of_that_boot(engine: str) -> None:
    """It says where the program was."""
    rig = Rig(image(TOUCH), engine=engine)
    rig.machine.virt.bus.attach(FAULTY, 4096, Faulty())
    with pytest.raises(RuntimeError, match="on purpose"):
        rig.run()
    machine = rig.machine
    assert machine.status == 70
    assert machine.fault.startswith(f"internal error at {BASE + 4:#x}, after 7 instructions: ")
    assert "on purpose" in machine.fault
    assert machine.hart.x[10] == FAULTY
    assert machine.run() is None, "it is not gone on with"


@pytest.mark.parametrize("flags", [4, 6])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_in_a_segment_without_pf_x(engine: str, flags: int) -> None:
    """As riscv-tests' own linker scripts make them."""
    code = b"".join(word.to_bytes(4, "little") for word in PASS)
    rig = Rig(Elf(loads=[Load(data=code, flags=flags)]).bytes(), engine=engine)
    assert rig.run() == (b"", 0)


def test_waiting_for_ever() -> None:
    rig = waiting()
    assert rig.machine.hart.waiting
    before = rig.machine.hart.instret
    assert rig.machine.run() is None
    assert rig.machine.hart.instret == before


def test_waiting_for_the_timer() -> None:
    rig = waiting(1 << 7)
    due = rig.now_ns() + 1_000_000
    rig.machine.virt.bus.write(0x0200_4000, 8, due // 100)
    assert rig.machine.run() == due // 100 * 100
    before = rig.machine.hart.instret
    rig.turn()
    rig.turn()
    assert rig.machine.hart.instret > before, "wfi ends by a pending interrupt, taken or not"


def test_what_wakes_it() -> None:
    rig = waiting(1 << 11)
    woken: list[None] = []
    rig.machine.on_work = lambda: woken.append(None)
    bus = rig.machine.virt.bus
    bus.write(0x0C00_0000 + 4 * 10, 4, 1)
    bus.write(0x0C00_2000, 4, 1 << 10)
    bus.write(0x1000_0001, 1, 1)
    rig.machine.receive(b"x")
    assert woken == [None]
    assert rig.machine.run() == 0


def test_nothing_runs_once_it_has_ended_or_is_paused() -> None:
    engines: list[Counting] = []

    def engine(hart: Hart) -> Counting:
        engines.append(Counting(hart))
        return engines[0]

    machine = Machine(Setup(image(SPIN)), engine, lambda _data: None)
    assert machine.run() == 0
    machine.paused = True
    assert machine.run() is None
    machine.paused = False
    assert machine.run() == 0
    machine.finish(3)
    assert machine.run() is None
    assert (engines[0].runs, machine.status) == (2, 3)


def test_a_slice_grows_and_an_end_within_it_is_soon() -> None:
    rig = Rig(image(SPIN), limit=None)
    while rig.machine._slice < 1024:
        rig.turn()
    rig.machine.hart.stop(Stop.HALT)
    before = rig.machine.hart.instret
    assert rig.machine.run() == 0
    assert rig.machine.hart.instret == before


def test_a_restart_keeps_ram_and_loads_files() -> None:
    rig = Rig(image())
    ram = rig.machine.virt.ram
    ram.u32[0] = 0
    ram.u32[0x10_0000 // 4] = 99
    rig.machine.restart()
    assert rig.machine.run() == 0
    assert ram.u32[0] == 0x00001517
    assert ram.u32[0x10_0000 // 4] == 99
    assert rig.machine.hart.pc == 0x1000
    assert rig.run() == (b"", 0)


def test_everything_is_accounted() -> None:
    rig = Rig(image())
    rig.run()
    table = rig.machine.counters()
    assert table["hart"]["instructions"] == rig.machine.hart.instret
    assert table["interrupts"] == {"timer": 0}
    assert {"uart0", "rng", "console"} <= set(table)


# -- where things go


RAM = Ram(64 << 20, BASE)


def test_raw_images() -> None:
    program = loader.read(b"\x13\0\0\0", RV64, BASE + 0x20_0000)
    assert (program.start, program.end, program.entry) == (0x8020_0000, 0x8020_0004, 0x8020_0000)
    assert program.physical("main") is None


def test_virtual_addresses() -> None:
    """A kernel linked high is loaded, and entered, at its physical addresses."""
    high = 0xFFFF_FFFF_8000_0000
    load = Load(high, paddr=BASE + 0x20_0000, data=b"\x13\0\0\0" * 4)
    program = loader.read(Elf(entry=high + 4, loads=[load]).bytes(), RV64, 0)
    assert (program.start, program.entry) == (BASE + 0x20_0000, BASE + 0x20_0004)
    no_entry = loader.read(Elf(entry=0, loads=[load]).bytes(), RV64, 0)
    assert no_entry.entry == BASE + 0x20_0000


@pytest.mark.parametrize(("size", "addr"), [
    (4 << 20, BASE + (2 << 20)), (64 << 20, 0x83E0_0000), (2 << 20, BASE + (2 << 20) - 0x1000),
])  # fmt: skip
def test_the_place_of_the_tree(size: int, addr: int) -> None:
    assert loader.tree_address(Ram(size, BASE), 0x1000, BASE + 0x1000) == addr


def test_no_place_for_the_tree() -> None:
    with pytest.raises(ElfError, match="no room"):
        loader.tree_address(Ram(2 << 20, BASE), 0x1000, BASE + (2 << 20) - 0xFFF)


def test_what_comes_after_firmware() -> None:
    assert loader.next_stage(BASE + 1, 64) == BASE + 0x20_0000
    assert loader.next_stage(BASE + 0x20_0000, 64) == BASE + 0x20_0000
    assert loader.next_stage(BASE + 1, 32) == BASE + 0x40_0000


def test_bss_is_zero_after_a_reset() -> None:
    program = loader.read(Elf(loads=[Load(memsz=0x100)]).bytes(), RV64, 0)
    RAM.view[:0x200] = b"\xff" * 0x200
    loader.place(program, RAM)
    assert bytes(RAM.view[0x10:0x100]) == bytes(0xF0)
    assert RAM.view[0x100] == 0xFF
