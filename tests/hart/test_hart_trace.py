"""The commit log, HTIF, the cost tables."""

from __future__ import annotations

import pytest
from hart_assembler import Assembler
from hart_machine import BASE, Machine

from minion.hart.config import Isa
from minion.hart.cost import COSTS, LOWRISC
from minion.hart.csr import MCYCLE, MINSTRET
from minion.hart.encoding import Kind
from minion.hart.htif import Htif
from minion.hart.interpreter import Interpreter
from minion.hart.state import Hart, Stop
from minion.hart.trace import Tracer

LOG = """\
core   0: 3 0x0000000080000000 (0x00000297) x5  0x0000000080000000
core   0: 3 0x0000000080000004 (0x30529073) c773_mtvec 0x0000000080000000
core   0: 3 0x0000000080000008 (0x00006337) x6  0x0000000000006000
core   0: 3 0x000000008000000c (0x300323f3) x7  0x0000000a00000000 c768_mstatus 0x8000000a00006000
core   0: 3 0x0000000080000010 (0x04629023) mem 0x0000000080000040 0x6000
core   0: 3 0x0000000080000014 (0x0402a403) x8  0x0000000000006000 mem 0x0000000080000040
core   0: 3 0x0000000080000018 (0x0062a4af) x9  0x0000000000000297 mem 0x0000000080000000 \
mem 0x0000000080000000 0x00006297
core   0: 3 0x000000008000001c (0xd2237553) f10 0x40d8000000000000
core   0: 3 0x0000000080000020 (0x1ab5f553) c1_fflags 0x0000000000000010 f10 0x7ff8000000000000
core   0: 3 0x0000000080000024 (0x4501) x10 0x0000000000000000
core   0: 3 0x0000000080000026 (0x00000033)
core   0: exception trap_machine_ecall, epc 0x000000008000002a
"""


def test_the_commit_log_is_spikes() -> None:
    asm = Assembler(Isa())
    asm.put("auipc", 5, 0)
    asm.put("csrrw", 0, 0x305, 5)
    asm.put("lui", 6, 6)
    asm.put("csrrs", 7, 0x300, 6)
    asm.put("sh", 6, 5, 64)
    asm.put("lw", 8, 5, 64)
    asm.put("amoadd.w", 9, 6, 5)
    asm.put("fcvt.d.l", 10, 6, 7)
    asm.put("fdiv.d", 10, 11, 11, 7)  # 0/0
    asm.word(0x4501)  # c.li a0, 0
    asm.put("add", 0, 0, 0)
    asm.put("ecall")
    machine = Machine(Isa(), 1 << 16, bytes(asm.code))
    lines: list[str] = []
    assert Tracer(machine.hart, lines.append).run(12) is Stop.LIMIT
    assert "".join(lines) == LOG


def test_rv32_logs_eight_digits() -> None:
    asm = Assembler(Isa(32, "imac"))
    asm.put("addi", 1, 0, -1)
    lines: list[str] = []
    Tracer(Machine(asm.isa, 1 << 16, bytes(asm.code)).hart, lines.append).run(1)
    assert lines == ["core   0: 3 0x80000000 (0xfff00093) x1  0xffffffff\n"]


TOHOST = BASE + 0x1000


def with_htif(*stores: tuple[str, int, int]) -> tuple[Htif, Stop, bytes]:
    """After stores of values at offsets from tohost."""
    asm = Assembler(Isa())
    asm.li(5, TOHOST)
    for name, value, offset in stores:
        asm.li(6, value)
        asm.put(name, 6, 5, offset)
    asm.put("jal", 0, 0)
    machine = Machine(Isa(), 1 << 16, bytes(asm.code))
    output = bytearray()
    htif = Htif(machine.hart, TOHOST, TOHOST + 64, output.extend)
    machine.ram.view[0x2000:0x2006] = b"hello\n"
    for index, value in enumerate((64, 1, BASE + 0x2000, 6)):
        machine.ram.u64[0x3000 // 8 + index] = value
    reason = Interpreter(machine.hart).run(200)
    htif_ram = machine.ram.u64
    assert htif_ram[0x1000 // 8] == 0
    return htif, reason, bytes(output)


@pytest.mark.parametrize("code", [0, 1, 1337])
def test_htif_exit(code: int) -> None:
    htif, reason, _ = with_htif(("sd", code << 1 | 1, 0))
    assert (htif.exit_code, reason) == (code, Stop.HALT)


def test_htif_exit_in_halves() -> None:
    htif, reason, _ = with_htif(("sw", 5, 0), ("sw", 0, 4))
    assert (htif.exit_code, reason) == (2, Stop.HALT)


def test_htif_console_and_write() -> None:
    say = 0x0101 << 48
    htif, reason, output = with_htif(
        ("sd", say | 65, 0), ("sw", 66, 0), ("sw", 0x0101_0000, 4), ("sd", BASE + 0x3000, 0)
    )
    assert (htif.exit_code, reason, output) == (None, Stop.LIMIT, b"ABhello\n")


def test_htif_answers_a_call_it_does_not_know() -> None:
    htif, _, output = with_htif(("sd", BASE + 0x2FF0, 0), ("sd", 0x1234_5670, 0))
    assert (htif.exit_code, output) == (None, b"")


def test_htif_wants_a_doubleword_of_ram() -> None:
    machine = Machine(Isa(), 1 << 16)
    for addr in (BASE + 4, 0x1000, BASE + (1 << 16)):
        with pytest.raises(ValueError, match="htif"):
            Htif(machine.hart, addr, None, bytes)


def costing(cost_name: str) -> Hart:
    """li, mul, div, lw, two branches (one taken), csrr."""
    asm = Assembler(Isa())
    asm.put("auipc", 5, 0)
    asm.put("mul", 6, 5, 5)
    asm.put("divu", 7, 6, 5)
    asm.put("lw", 8, 5, 0)
    asm.put("bne", 5, 5, 8)
    asm.put("beq", 5, 5, 8)
    asm.put("addi", 0, 0, 0)
    asm.put("csrrs", 9, MCYCLE, 0)
    asm.put("csrrs", 10, MINSTRET, 0)
    machine = Machine(Isa(), 1 << 16, bytes(asm.code))
    h = Hart(machine.bus, machine.ram, machine.lines, cost=COSTS[cost_name])
    Interpreter(h).run(8)
    return h


def test_what_instructions_cost() -> None:
    h = costing("default")
    assert (h.x[9], h.x[10], h.cycles, h.instret) == (6, 7, 8, 8)
    h = costing("lowrisc")
    c = LOWRISC
    before = c.alu + c.mul + c.div + c.load + 2 * c.branch + c.taken
    assert (h.x[9], h.x[10], h.cycles) == (before, 7, before + 2 * c.system)


def test_every_class_has_a_cost() -> None:
    for cost in COSTS.values():
        assert len(cost.table) == len(Kind)
        assert min(cost.table) >= 1
        assert cost.clock_hz > 0
