"""What engines do at the edges: interrupts, waiting, budgets, changing code, the monitor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hart_assembler import Assembler
from hart_machine import BASE, ENGINES, Engine, Machine

from minion.hart import blocks
from minion.hart.config import Isa
from minion.hart.csr import MCAUSE, MEPC, MIDELEG, MIE, MTVAL, MTVEC, SATP, SCAUSE, STVEC
from minion.hart.fields import MIE as GLOBAL_MIE
from minion.hart.fields import MPP_SHIFT, MPRV, SIE, Cause, M, S, U
from minion.hart.mmu import MODES
from minion.hart.state import Hart, Stop

TOP = 1 << 63
HANDLER = BASE + 0x800
RAM_BYTES = 1 << 16

pytestmark = pytest.mark.parametrize("engine", ENGINES)


def program(write: Callable[[Assembler], None], isa: Isa | None = None) -> Machine:
    """Code at BASE; at HANDLER, which is mtvec, an endless loop."""
    asm = Assembler(isa or Isa())
    write(asm)
    machine = Machine(asm.isa, RAM_BYTES, bytes(asm.code))
    loop = Assembler(asm.isa)
    loop.put("jal", 0, 0)
    machine.ram.view[0x800:0x804] = bytes(loop.code)
    machine.hart.csr.write(MTVEC, HANDLER)
    return machine


def start(machine: Machine, engine: str) -> tuple[Engine, Hart]:
    return ENGINES[engine](machine.hart), machine.hart


def nops(asm: Assembler) -> None:
    for _ in range(50):
        asm.put("addi", 1, 1, 1)
    asm.put("jal", 0, -200)


@pytest.mark.parametrize("code", [11, 3, 7, 9, 1, 5])
def test_the_highest_priority_comes_first(engine: str, code: int) -> None:
    """MEI MSI MTI SEI SSI STI: each with everything below it pending too (3.1.9)."""
    order = [11, 3, 7, 9, 1, 5]
    machine = program(nops)
    run, h = start(machine, engine)
    machine.lines.mip = sum([1 << c for c in order[order.index(code) :]])
    h.csr.write(MIE, 0xAAA)
    h.mstatus |= GLOBAL_MIE
    h.context_changed()
    run.run(1)
    assert h.csr.value[MCAUSE] == TOP | code
    assert (h.csr.value[MEPC], h.csr.value[MTVAL], h.pc) == (BASE, 0, HANDLER)
    assert not h.mstatus & GLOBAL_MIE


def test_interrupts_of_m_come_before_those_of_s(engine: str) -> None:
    machine = program(nops)
    run, h = start(machine, engine)
    machine.lines.mip = 1 << 7 | 1 << 9
    h.csr.write(MIE, 0xAAA)
    h.csr.write(MIDELEG, 0x222)
    h.csr.write(STVEC, HANDLER)
    h.pmp.allow_all()
    h.priv = S
    h.mstatus |= SIE
    h.context_changed()
    run.run(1)
    assert (h.priv, h.csr.value[MCAUSE]) == (M, TOP | 7)
    machine.lines.clear(1 << 7)
    h.priv = S
    h.mstatus |= SIE
    h.context_changed()
    run.run(1)
    assert (h.priv, h.csr.value[SCAUSE]) == (S, TOP | 9)


def test_a_line_that_rises_between_runs_is_seen(engine: str) -> None:
    machine = program(nops)
    run, h = start(machine, engine)
    h.csr.write(MIE, 1 << 7)
    h.mstatus |= GLOBAL_MIE
    h.context_changed()
    assert run.run(1000) is Stop.LIMIT
    retired = h.instret
    machine.lines.set(1 << 7)
    run.run(100)
    assert h.pc == HANDLER
    assert BASE <= h.csr.value[MEPC] < BASE + 204
    assert h.instret <= retired + 100


def test_wfi_waits_for_what_is_enabled(engine: str) -> None:
    def write(asm: Assembler) -> None:
        asm.put("wfi")
        asm.put("addi", 1, 0, 7)
        asm.put("jal", 0, 0)

    machine = program(write)
    run, h = start(machine, engine)
    assert run.run(10) is Stop.WFI
    assert (h.pc, h.instret) == (BASE + 4, 1)
    machine.lines.set(1 << 7)
    assert run.run(10) is Stop.WFI  # pending, but not enabled in mie
    h.csr.write(MIE, 1 << 7)
    assert run.run(2) is Stop.LIMIT  # goes on, but takes nothing: mstatus.MIE is off
    assert (h.x[1], h.csr.value[MCAUSE]) == (7, 0)


def test_wfi_then_the_handler(engine: str) -> None:
    machine = program(lambda asm: asm.put("wfi"))
    run, h = start(machine, engine)
    h.csr.write(MIE, 1 << 7)
    h.mstatus |= GLOBAL_MIE
    h.context_changed()
    assert run.run(10) is Stop.WFI
    machine.lines.set(1 << 7)
    run.run(3)
    assert (h.pc, h.csr.value[MEPC]) == (HANDLER, BASE + 4)


def test_a_loop_of_traps_ends_all_the_same(engine: str) -> None:
    machine = program(lambda asm: asm.put("ecall"))
    run, h = start(machine, engine)
    h.csr.write(MTVEC, 0x1000)
    assert run.run(1000) is Stop.LIMIT
    assert h.instret == 0
    assert h.csr.value[MCAUSE] == Cause.FETCH_ACCESS


def test_the_monitor_is_m_mode(engine: str) -> None:
    def write(asm: Assembler) -> None:
        asm.put("addi", 1, 0, 5)
        asm.put("ecall")
        asm.put("ld", 2, 0, 16)

    machine = program(write)
    run, h = start(machine, engine)
    h.monitor = True
    h.pmp.allow_all()
    h.priv = U
    h.context_changed()
    assert run.run(100) is Stop.MONITOR
    assert (h.trap.cause, h.pc, h.priv, h.x[1]) == (Cause.ECALL_U, BASE + 4, U, 5)
    h.pc += 4
    assert run.run(100) is Stop.MONITOR
    assert (h.trap.cause, h.trap.tval, h.pc) == (Cause.LOAD_ACCESS, 16, BASE + 8)
    machine.lines.set(1 << 7)
    h.csr.write(MIE, 1 << 7)
    assert run.run(100) is Stop.MONITOR
    assert (h.trap.cause, h.pc) == (TOP | 7, BASE + 8)


def test_stop_is_seen_soon(engine: str) -> None:
    def write(asm: Assembler) -> None:
        asm.li(5, 0x10_0000)
        asm.li(6, 0x5555)
        asm.put("sw", 6, 5, 0)
        asm.put("jal", 0, 0)

    machine = program(write)
    run, h = start(machine, engine)
    assert run.run(1_000_000) is Stop.HALT
    assert machine.status == 0
    assert h.instret < 1000
    assert h.stopping is None


def test_a_reset_hart_runs_again(engine: str) -> None:
    machine = program(nops)
    run, h = start(machine, engine)
    run.run(100)
    h.priv = S
    machine.ram.u32[0] = 0x00700093  # another program, which begins with addi x1, x0, 7
    h.reset(BASE)
    assert (h.x[1], h.pc, h.priv, h.mstatus) == (0, BASE, M, 0)
    run.run(10)
    assert h.x[1] == 16


def test_code_changed_by_its_own_block(engine: str) -> None:
    """Also without fence.i the hart sees what it has stored itself."""

    def write(asm: Assembler) -> None:
        asm.put("auipc", 5, 0)
        asm.li(6, 0x00700093)  # addi x1, x0, 7
        asm.put("sw", 6, 5, 20)
        asm.put("addi", 2, 0, 1)
        asm.put("addi", 1, 0, 3)
        asm.put("ecall")

    machine = program(write)
    run, h = start(machine, engine)
    h.monitor = True
    assert run.run(100) is Stop.MONITOR
    assert (h.x[1], h.x[2], h.instret) == (7, 1, 6)


def test_code_that_a_device_has_changed(engine: str) -> None:
    """Seen after fence.i, which is what a driver does."""

    def write(asm: Assembler) -> None:
        asm.put("addi", 1, 0, 3)
        asm.put("fence.i")
        asm.put("jal", 0, -8)

    machine = program(write)
    run, h = start(machine, engine)
    run.run(9)
    machine.ram.u32[0] = 0x00700093
    run.run(6)
    assert h.x[1] == 7


def test_data_beside_code_leaves_it_alone(engine: str) -> None:
    def write(asm: Assembler) -> None:
        asm.put("auipc", 5, 0)
        asm.put("sd", 5, 5, 1024)
        asm.put("ld", 6, 5, 1024)
        asm.put("jal", 0, -8)

    machine = program(write)
    run, h = start(machine, engine)
    run.run(300)
    assert h.x[6] == BASE


def test_an_instruction_over_the_end_of_a_page(engine: str) -> None:
    """Its halves may change apart."""
    machine = program(lambda asm: asm.put("jal", 0, 0xFFE))
    run, h = start(machine, engine)
    view = machine.ram.view
    view[0xFFE:0x1002] = (0x00700093).to_bytes(4, "little")  # addi x1, x0, 7
    view[0x1002:0x1006] = (0x0000_006F).to_bytes(4, "little")
    run.run(3)
    assert h.x[1] == 7
    h.store(BASE + 0x1000, 2, 0x00B0)  # addi x1, x0, 11
    h.pc = BASE
    run.run(3)
    assert h.x[1] == 11


def test_an_instruction_half_of_which_is_nowhere(engine: str) -> None:
    machine = program(lambda asm: asm.put("jal", 0, 4))
    run, h = start(machine, engine)
    end = RAM_BYTES - 2
    machine.ram.view[end:] = (0x0093).to_bytes(2, "little")
    h.pc = BASE + end
    run.run(1)
    assert (h.csr.value[MCAUSE], h.csr.value[MEPC]) == (Cause.FETCH_ACCESS, BASE + end)
    assert h.csr.value[MTVAL] == BASE + RAM_BYTES


def test_a_store_over_the_end_of_ram_stores_nothing(engine: str) -> None:
    machine = program(lambda asm: asm.put("sd", 6, 5, 0))
    run, h = start(machine, engine)
    h.x[5], h.x[6] = BASE + RAM_BYTES - 4, (1 << 64) - 1
    run.run(1)
    assert (h.csr.value[MCAUSE], h.csr.value[MTVAL]) == (Cause.STORE_ACCESS, BASE + RAM_BYTES)
    assert machine.ram.u32[-1] == 0


def test_a_budget_is_kept_in_the_middle_of_a_block(engine: str) -> None:
    machine = program(nops)
    run, h = start(machine, engine)
    for n in (1, 2, 3, 50, 51, 7):
        before = h.instret
        assert run.run(n) is Stop.LIMIT
        assert n <= h.instret - before <= n + blocks.MOST
        place = h.instret % 51
        assert h.pc == BASE + 4 * place


def test_the_blocks_kept_are_bounded(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LIMIT", 10)
    machine = program(nops)
    run, h = start(machine, engine)
    for n in range(51):
        h.pc = BASE + 4 * n
        run.run(2)
    assert h.x[1] == 51 * 2 - 2


def sv39(machine: Machine, ppn: int, page: int) -> None:
    """Virtual pages 0 and up: a table at a page of RAM that maps page 0 to another."""
    ram = machine.ram.u64
    root = page * 512
    ram[root] = (BASE >> 12) + page + 1 << 10 | 1
    ram[root + 512] = (BASE >> 12) + page + 2 << 10 | 1
    ram[root + 1024] = (BASE >> 12) + ppn << 10 | 0xCF | (0x10 if ppn == 3 else 0)
    ram[root + 2] = BASE >> 2 | 0xCF


def test_address_spaces_have_code_of_their_own(engine: str) -> None:
    """The same virtual address, two satps, no sfence.vma between them."""
    machine = program(nops)
    run, h = start(machine, engine)
    for number, ppn in ((1, 1), (2, 2)):
        code = Assembler(Isa())
        code.put("addi", 1, 0, number)
        code.put("jal", 0, 0)
        machine.ram.view[ppn << 12 : (ppn << 12) + 8] = bytes(code.code)
        sv39(machine, ppn, 4 * number)
    h.pmp.allow_all()
    h.priv = S
    for number in (1, 2, 1, 2):
        h.csr.write(SATP, 8 << 60 | (BASE >> 12) + 4 * number)
        h.pc = 0
        run.run(2)
        assert (h.x[1], h.pc) == (number, 4)


def test_address_spaces_come_and_go(engine: str) -> None:
    """More than are held, each with data of its own, the first ones again after that."""

    def write(asm: Assembler) -> None:
        asm.put("ld", 1, 0, 8)
        asm.put("ld", 2, 0, 16)

    machine = program(write)
    run, h = start(machine, engine)
    sv39(machine, 1, 4)
    sv39(machine, 2, 8)
    for ppn in (1, 2):
        machine.ram.u64[ppn * 512 + 1] = machine.ram.u64[ppn * 512 + 2] = ppn
    h.pmp.allow_all()
    h.mstatus = MPRV | S << MPP_SHIFT
    for asid in range(3 * MODES):
        page = 4 * (asid % 2 + 1)
        h.csr.write(SATP, 8 << 60 | asid % 150 << 44 | (BASE >> 12) + page)
        h.pc = BASE
        run.run(2)
        assert h.x[1] == h.x[2] == asid % 2 + 1


def test_m_mode_accesses_as_s(engine: str) -> None:
    """MPRV with MPP = S: translated, and U's pages are not for it."""

    def write(asm: Assembler) -> None:
        asm.put("ld", 1, 0, 8)

    machine = program(write)
    run, h = start(machine, engine)
    machine.ram.u64[512 + 1] = 77
    machine.ram.u64[3 * 512 + 1] = 99
    sv39(machine, 1, 4)
    sv39(machine, 3, 8)
    h.pmp.allow_all()
    h.mstatus = MPRV | S << MPP_SHIFT
    h.csr.write(SATP, 8 << 60 | (BASE >> 12) + 4)
    run.run(1)
    assert h.x[1] == 77
    h.csr.write(SATP, 8 << 60 | (BASE >> 12) + 8)
    h.pc = BASE
    run.run(1)
    assert (h.csr.value[MCAUSE], h.csr.value[MTVAL]) == (Cause.LOAD_PAGE, 8)
    h.mstatus = MPRV | U << MPP_SHIFT
    h.context_changed()
    h.pc = BASE
    run.run(1)
    assert h.x[1] == 99


def test_rv32_wraps_around(engine: str) -> None:
    def write(asm: Assembler) -> None:
        asm.put("lw", 1, 5, 8)

    machine = program(write, Isa(32, "imac"))
    run, h = start(machine, engine)
    h.x[5] = 0xFFFF_FFFC
    run.run(1)
    assert (h.csr.value[MCAUSE], h.csr.value[MTVAL]) == (Cause.LOAD_ACCESS, 4)


def test_stores_beside_code(engine: str) -> None:
    """In a page of code, next to it and into it: what is not code may be stored to at any time."""

    def code(asm: Assembler) -> None:
        asm.put("addi", 10, 0, 0)
        asm.put("sd", 10, 9, 0)  # the loop: a counter beside the code
        asm.put("ld", 10, 9, 0)
        asm.put("addi", 10, 10, 1)
        asm.put("bne", 10, 11, -12)
        asm.put("sw", 12, 8, 0)  # over the end of the loop: it ends for good
        asm.put("jal", 0, -20)

    machine = program(code)
    run, h = start(machine, engine)
    h.x[8], h.x[9], h.x[11] = BASE + 16, BASE + 0x100, 1000
    h.x[12] = 0x0000_0073  # ecall
    assert run.run(100_000) is Stop.LIMIT
    assert h.csr.value[MCAUSE] == Cause.ECALL_M
    assert h.csr.value[MEPC] == BASE + 16
    assert machine.ram.view[0x100:0x108] == (1000).to_bytes(8, "little")


def test_code_grows_where_stores_went(engine: str) -> None:
    """What was data beside code becomes code, and is then stored to."""

    def code(asm: Assembler) -> None:
        asm.put("sw", 12, 9, 0)
        asm.put("sw", 13, 9, 4)
        asm.put("jalr", 1, 9, 0)
        asm.put("addi", 12, 14, 0)
        asm.put("jal", 0, -16)

    machine = program(code)
    run, h = start(machine, engine)
    words = Assembler(machine.hart.isa)
    for amount in (1, 100):
        words.put("addi", 10, 10, amount)
    words.put("jalr", 0, 1, 0)
    one, hundred, back = [int.from_bytes(words.code[n : n + 4], "little") for n in (0, 4, 8)]
    h.x[9], h.x[12], h.x[13], h.x[14] = BASE + 0x200, one, back, hundred
    assert run.run(7 * 11) is Stop.LIMIT
    assert h.x[10] == 1 + 10 * 100
