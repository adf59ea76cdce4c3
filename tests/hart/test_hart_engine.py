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
from minion.hart.fields import MPP_SHIFT, MPRV, SIE, Access, Cause, M, S, U
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


class Lookups:
    """Counts translations that are done in Python: each is a walk."""

    def __init__(self, h: Hart) -> None:
        self.count = 0
        self._translate = h.mmu.translate
        h.mmu.translate = self._counted  # type: ignore[method-assign]  # it is looked up each time

    def _counted(self, addr: int, access: Access, priv: int, size: int = 1) -> int:
        self.count += 1
        return self._translate(addr, access, priv, size)


def in_s_mode(machine: Machine, page: int) -> None:
    """RAM is where it is, in 2 MiB; a few other pages follow at 0."""
    h, ram = machine.hart, machine.ram.u64
    sv39(machine, 1, page)
    ram[page * 512 + 2] = (BASE >> 12) + page + 3 << 10 | 1
    ram[(page + 3) * 512] = BASE >> 2 | 0xCF
    h.pmp.allow_all()
    h.priv = S
    h.csr.write(SATP, 8 << 60 | (BASE >> 12) + page)
    h.context_changed()


@pytest.mark.parametrize("rs1", [0, 5])
def test_a_fence_forgets_no_code(engine: str, rs1: int) -> None:
    """sfence.vma of an address that nobody has used, or on the native engine of all of them: what
    was decoded is still there, and nothing is looked for in Python."""
    if rs1 == 0 and engine != "native":
        pytest.skip("the engines in Python walk after it")

    def write(asm: Assembler) -> None:
        asm.put("sfence.vma", rs1, 0)
        for _ in range(20):
            asm.put("jal", 0, 4)
        asm.put("jal", 0, -84)

    machine = program(write)
    run, h = start(machine, engine)
    in_s_mode(machine, 4)
    h.x[5] = 0x1000
    run.run(500)
    lookups = Lookups(h)
    assert run.run(5000) is Stop.LIMIT
    assert lookups.count == 0
    assert h.instret >= 5500


@pytest.mark.parametrize("registers", [(0, 0), (5, 0), (0, 6), (5, 6)])
@pytest.mark.parametrize("op", ["ld", "amoadd.d", "lr.d", "sd", "jalr"])
def test_a_fence_forgets_what_it_names(engine: str, registers: tuple[int, int], op: str) -> None:
    """A page is mapped anew behind the hart's back, again and again."""

    def write(asm: Assembler) -> None:
        asm.put("ld", 7, 9, 0)
        asm.put("sd", 7, 8, 0)
        asm.put("ld", 7, 9, 8)
        asm.put("sfence.vma", *registers)
        if op == "amoadd.d":
            asm.put(op, 10, 0, 5)
        elif op == "lr.d":
            asm.put(op, 10, 5)
        elif op == "jalr":
            asm.put(op, 1, 11, 0)
        else:
            asm.put(op, 10, 5, 0)
        asm.put("ecall")

    machine = program(write)
    run, h = start(machine, engine)
    h.monitor = True
    in_s_mode(machine, 4)
    ram = machine.ram
    for page, value in ((1, 111), (2, 222)):
        code = Assembler(Isa())
        code.put("addi", 10, 0, value)
        code.put("jalr", 0, 1, 0)
        ram.view[page << 12 : (page << 12) + 8] = bytes(code.code)
        ram.u64[page * 512 + 1] = value
    h.x[5], h.x[8], h.x[9], h.x[11] = 8, BASE + 6 * 4096, BASE + 0x700, 0
    for turn in range(6):
        page = 1 + turn % 2
        ram.u64[0x700 >> 3] = (BASE >> 12) + page << 10 | 0xCF
        h.x[10] = turn
        h.pc = BASE
        assert run.run(100) is Stop.MONITOR
        assert h.trap.cause == Cause.ECALL_S
        if op == "sd":
            assert ram.u64[page * 512 + 1] == turn
        else:
            assert h.x[10] == 111 * page


@pytest.mark.parametrize("bits", [0x43, 0x03, 0x47, 0x07, 0xC7])
@pytest.mark.parametrize("before", ["", "ld", "lr.d"])
def test_lr_is_a_load(engine: str, bits: int, before: str) -> None:
    """Of a page that may not be stored to, too; it sets A and not D, first or not."""

    def write(asm: Assembler) -> None:
        if before == "ld":
            asm.put("ld", 10, 5, 0)
        elif before:
            asm.put(before, 10, 5)
        asm.put("lr.d", 11, 5)
        asm.put("addi", 12, 0, 7)
        asm.put("sc.d", 13, 12, 5)
        asm.put("ecall")

    machine = program(write)
    run, h = start(machine, engine)
    h.monitor = True
    in_s_mode(machine, 4)
    ram = machine.ram.u64
    ram[6 * 512] = BASE + 4096 >> 2 | bits
    ram[512 + 2] = 77
    h.x[5] = 16
    loads = 1 + bool(before)
    assert run.run(loads) is Stop.LIMIT
    assert h.x[11] == 77
    assert ram[6 * 512] & 0xFF == bits | 0x40
    assert run.run(100) is Stop.MONITOR
    if bits & 4:
        assert (h.trap.cause, h.x[13], ram[512 + 2]) == (Cause.ECALL_S, 0, 7)
        assert ram[6 * 512] & 0xFF == bits | 0xC0
    else:
        assert (h.trap.cause, h.trap.tval, ram[512 + 2]) == (Cause.STORE_PAGE, 16, 77)
        assert ram[6 * 512] & 0xFF == bits | 0x40


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_fence_of_any_address_in_a_superpage(engine: str, level: int) -> None:
    """One leaf, many pages of ours."""

    def write(asm: Assembler) -> None:
        asm.put("ld", 10, 5, 0)
        asm.put("ld", 11, 6, 0)
        asm.put("sd", 7, 8, 0)
        asm.put("sfence.vma", 9, 0)
        asm.put("ld", 12, 5, 0)
        asm.put("ld", 13, 6, 0)
        asm.put("ecall")

    size = 1 << 12 + 9 * level
    machine = program(write)
    run, h = start(machine, engine)
    h.monitor = True
    in_s_mode(machine, 4)
    ram = machine.ram.u64
    for number in range(1, 3):
        ram[number * 512 + 2] = number
    entry = (6 * 512, 5 * 512 + 1, 4 * 512 + 3)[level]
    virtual = (0, 2 << 20, 3 << 30)[level]
    ram[entry] = (BASE + (4096 if level == 0 else 0)) >> 2 | 0xCF
    at = virtual if level == 0 else virtual + 4096
    h.x[5], h.x[6] = at + 16, at + 24
    h.x[7], h.x[8] = 0, BASE + 8 * entry
    h.x[9] = virtual + size - 1
    run.run(100)
    assert (h.x[10], h.x[11]) == (1, 0)
    assert (h.trap.cause, h.trap.tval) == (Cause.LOAD_PAGE, at + 16)


def test_page_tables_in_a_device(engine: str) -> None:
    """It may be read as one, but is not touched: A that is not set is a page fault, as on QEMU."""

    def write(asm: Assembler) -> None:
        asm.put("ld", 10, 5, 0)

    machine = program(write)
    run, h = start(machine, engine)
    mtimecmp = 0x200_4000
    h.pmp.allow_all()
    h.mstatus = MPRV | S << MPP_SHIFT
    h.csr.write(SATP, 8 << 60 | mtimecmp >> 12)
    h.x[5] = 0x200_0000
    for bits, cause in ((0x47, 0), (0x07, Cause.LOAD_PAGE)):
        machine.bus.write(mtimecmp, 8, bits)
        h.pc = BASE
        run.run(1)
        assert h.csr.value[MCAUSE] == cause
        assert machine.bus.read(mtimecmp, 8) == bits
        h.mstatus = MPRV | S << MPP_SHIFT
        h.context_changed()


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
