"""CSRs that the programs in asm/ do not reach: small cores, counters, locks."""

from __future__ import annotations

import pytest
from hart_assembler import Assembler
from hart_machine import Machine

from minion.hart.config import Isa
from minion.hart.interpreter import Interpreter
from minion.hart.pmp import Pmp
from minion.hart.state import Hart

MCYCLE, MINSTRET, MCYCLEH, MINSTRETH = 0xB00, 0xB02, 0xB80, 0xB82


def hart(isa: Isa) -> Hart:
    return Machine(isa, 1 << 16).hart


@pytest.mark.parametrize(
    ("xlen", "extensions"), [(16, "imc"), (64, "im"), (64, "imcv"), (64, "imcd"), (64, "imcs")]
)
def test_an_isa_that_there_is_not(xlen: int, extensions: str) -> None:
    with pytest.raises(ValueError, match="isa"):
        Isa(xlen, extensions)


def test_what_an_isa_is_called() -> None:
    assert Isa().name == "rv64imafdc_zicsr_zifencei"
    assert Isa(32, "imac").misa == 1 << 30 | 0b1_0001_0000_0101
    assert Isa().misa >> 62 == 2


def test_a_core_with_m_mode_only() -> None:
    h = hart(Isa(32, "imac"))
    h.csr.write(0x300, (1 << 32) - 1)
    assert h.csr.read(0x300) == 0x1888  # MPP is always M
    for addr in (0x100, 0x106, 0x180, 0x302, 0x303, 0x306, 0x003):
        assert addr not in h.csr.names
    h.csr.write(0x304, -1)
    assert h.csr.read(0x304) == 0x888


def test_a_core_without_s_mode() -> None:
    h = hart(Isa(64, "imcu"))
    h.csr.write(0x300, 1 << 11)  # MPP cannot be S
    assert h.csr.read(0x300) >> 11 & 3 == 0
    assert h.csr.read(0x300) >> 32 == 2  # UXL, no SXL
    assert 0x306 in h.csr.names


def counted(isa: Isa, csr: int, value: int) -> tuple[int, int]:
    """Written by an instruction; read by the next, and the one after that."""
    asm = Assembler(isa)
    asm.li(5, value)
    asm.put("csrrw", 0, csr, 5)
    asm.put("csrrs", 6, csr, 0)
    asm.put("csrrs", 7, csr, 0)
    machine = Machine(isa, 1 << 16, bytes(asm.code))
    Interpreter(machine.hart).run(len(asm.code) // 4)
    return machine.hart.x[6], machine.hart.x[7]


@pytest.mark.parametrize("csr", [MCYCLE, MINSTRET])
def test_a_written_counter_shows_the_value_next(csr: int) -> None:
    assert counted(Isa(), csr, 1000) == (1000, 1001)
    assert counted(Isa(), csr, -1) == ((1 << 64) - 1, 0)


@pytest.mark.parametrize(("csr", "high"), [(MCYCLE, MCYCLEH), (MINSTRET, MINSTRETH)])
def test_counters_of_rv32_have_two_halves(csr: int, high: int) -> None:
    isa = Isa(32, "imac")
    assert counted(isa, csr, 1000) == (1000, 1001)
    assert counted(isa, high, 7) == (7, 7)
    h = hart(isa)
    h.csr.write(csr, 0xFFFF_FFFF)
    h.csr.write(high, 5)
    assert h.csr.read(high) == 5


@pytest.mark.parametrize(("csr", "high"), [(MCYCLE, MCYCLEH), (MINSTRET, MINSTRETH)])
def test_writing_a_high_half_does_not_count_in_the_low_one(csr: int, high: int) -> None:
    isa = Isa(32, "imac")
    asm = Assembler(isa)
    asm.put("csrrwi", 0, csr, 12)
    asm.put("csrrwi", 0, high, 3)
    asm.put("csrrs", 6, csr, 0)
    asm.put("csrrs", 7, csr, 0)
    asm.put("csrrwi", 0, 0x320, 5)
    asm.put("csrrs", 8, csr, 0)
    asm.put("csrrwi", 0, high, 1)
    asm.put("csrrs", 9, csr, 0)
    machine = Machine(isa, 1 << 16, bytes(asm.code))
    Interpreter(machine.hart).run(8)
    x = machine.hart.x
    assert (x[6], x[7], x[9]) == (12, 13, x[8])


def test_an_inhibited_counter_stands_still() -> None:
    asm = Assembler(Isa())
    asm.put("csrrwi", 0, 0x320, 5)
    asm.put("csrrs", 6, MCYCLE, 0)
    asm.put("csrrs", 7, MCYCLE, 0)
    asm.put("csrrs", 8, MINSTRET, 0)
    asm.put("csrrwi", 0, MINSTRET, 9)
    asm.put("csrrs", 9, MINSTRET, 0)
    asm.put("csrrwi", 0, 0x320, 0)
    asm.put("csrrs", 10, MINSTRET, 0)
    asm.put("csrrs", 11, MINSTRET, 0)
    machine = Machine(Isa(), 1 << 16, bytes(asm.code))
    Interpreter(machine.hart).run(9)
    x = machine.hart.x
    assert (x[6], x[7], x[8]) == (0, 0, 0)
    assert (x[9], x[10], x[11]) == (9, 9, 10)


def test_time_is_the_boards() -> None:
    machine = Machine(Isa(), 1 << 16)
    h = Hart(machine.bus, machine.ram, machine.lines, time=lambda: 12345)
    assert h.csr.read(0xC01) == 12345


def test_pmp_napot_of_everything() -> None:
    pmp = Pmp(54)
    pmp.allow_all()
    assert pmp.whole(0x8000_0000)
    pmp.write_cfg(1, 0x8F)
    pmp.write_addr(0, 1 << 20)  # the one below a locked TOR entry
    assert pmp.addr[0] == (1 << 54) - 1


def test_a_reserved_pmp_permission_is_not_kept() -> None:
    pmp = Pmp(54)
    pmp.write_cfg(0, 0x7A)
    assert pmp.cfg[0] == 0x18
