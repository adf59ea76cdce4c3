"""The hart runs a program: words of machine code in RAM, M mode, M traps."""

from __future__ import annotations

from minion.bus import Bus
from minion.devices.lines import Lines
from minion.hart.csr import MCAUSE, MEPC, MTVEC
from minion.hart.interpreter import Interpreter
from minion.hart.state import Hart, Stop
from minion.ram import Ram

BASE = 0x8000_0000


def hart(*words: int) -> Hart:
    ram = Ram(1 << 16, BASE)
    for index, word in enumerate(words):
        ram.u32[index] = word
    return Hart(Bus(ram), ram, Lines())


def test_a_loop_and_an_ecall_for_the_monitor() -> None:
    h = hart(0x00A00293, 0x005080B3, 0xFFF28293, 0xFE029CE3, 0x00000073)
    h.monitor = True  # li t0,10; 1: add ra,ra,t0; addi t0,t0,-1; bnez t0,1b; ecall
    assert Interpreter(h).run(1000) is Stop.MONITOR
    assert (h.x[1], h.pc, h.trap.cause, h.instret) == (55, BASE + 16, 11, 31)


def test_a_trap_into_m_mode() -> None:
    h = hart(0x00100073, 0, 0, 0, 0x00000013, 0x0000006F)  # ebreak; at 16: nop; 1: j 1b
    h.csr.write(MTVEC, BASE + 16)
    assert Interpreter(h).run(3) is Stop.LIMIT
    assert (h.csr.value[MCAUSE], h.csr.value[MEPC], h.pc) == (3, BASE, BASE + 20)


def test_a_limit_is_exact() -> None:
    h = hart(*[0x00108093] * 20, 0xFB1FF06F)  # addi ra,ra,1 twenty times; j back
    engine = Interpreter(h)
    for n in range(1, 60):
        assert engine.run(1) is Stop.LIMIT
        assert h.instret == n
