"""The native engine's own tables: many blocks, far pages, contexts; and what it is made of."""

from __future__ import annotations

import pytest
from hart_machine import BASE, Machine
from translate_program import Program, Side, agree, sides

from minion.hart.config import RV64, Isa
from minion.hart.csr import SATP
from minion.hart.decode import functions
from minion.hart.encoding import Kind, encodings
from minion.hart.fields import Cause, M, S
from minion.hart.interpreter import Interpreter
from minion.hart.mmu import PAGE
from minion.hart.native import code, render
from minion.hart.native._core import lib
from minion.hart.native.code import FIRST_ENTRIES
from minion.hart.native.engine import Native
from minion.hart.native.write import EXTENSIONS, instructions
from minion.hart.state import Stop
from minion.hart.translate import fold
from minion.hart.translate.node import const, name

REGIMES = lib.REGIMES
ALIASED = 4096 * PAGE
"""Pages so far apart have the same place in the table of pages."""


@pytest.mark.parametrize("xlen", [32, 64])
def test_nothing_but_system_instructions_is_left_to_the_plain_engine(xlen: int) -> None:
    sections = [section for letter in EXTENSIONS for section in (letter, f"{letter}{xlen}")]
    rows = [encoding for section in sections for encoding in encodings(section)]
    native = {instruction.mnemonic for instruction in instructions(xlen)}
    left = {row.name for row in rows} - native
    assert left == {row.name for row in rows if row.kind is Kind.SYSTEM} - native
    assert {row.name for row in rows} <= set(functions(Isa(xlen)))
    assert not [mnemonic for mnemonic in left if mnemonic.startswith("csr")]


def test_more_blocks_than_the_table_began_with() -> None:
    """A chain of jumps, each a block; all of them again and again."""
    p = Program()
    p.label("start")
    for _ in range(2 * FIRST_ENTRIES):
        p.put("addi", 10, 10, 1)
        p.put("beq", 0, 0, 4)
    p.la(5, "start")
    p.put("jalr", 0, 5, 0)
    last = agree(*sides(p, Native), [100_000, 100_000])
    assert last.stop is Stop.LIMIT
    assert last.x[10] > 90_000


def test_pages_that_share_a_place_in_the_table() -> None:
    p = Program()
    p.label("loop")
    p.put("ld", 7, 6, 0)
    p.put("ld", 8, 5, 0)
    p.put("sd", 10, 6, 0)
    p.put("sd", 11, 5, 0)
    p.put("add", 10, 10, 8)
    p.put("add", 11, 11, 7)
    p.put("addi", 11, 11, 1)
    p.put("jal", 0, "loop")
    pair = [Side(make, p, ram_bytes=2 * ALIASED) for make in (Interpreter, Native)]
    for side in pair:
        side.hart.x[5], side.hart.x[6] = BASE + PAGE, BASE + PAGE + ALIASED
    agree(pair[0], pair[1], [1000, 1000])


def test_registers_stay_where_they_are() -> None:
    """Registers are the caller's own lists again when a run is over."""
    machine = Machine(RV64, 1 << 16, Program().code())
    h = machine.hart
    x, f = h.x, h.f
    engine = Native(h)
    p = Program()
    p.put("addi", 10, 0, 7)
    p.put("fmv.d.x", 3, 10)
    p.put("jal", 0, -8)
    machine.ram.view[: len(p.code())] = p.code()
    h.mstatus |= 3 << 13
    h.context_changed()
    assert engine.run(30) is Stop.LIMIT
    assert h.x is x
    assert h.f is f
    assert (x[10], f[3]) == (7, 7)


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0, 2**64 - 1, "uint64_t"),
        (-1, 2**63 - 1, "int64_t"),
        (0, 2**64, "u128"),
        (-1, 2**63, "i128"),
        (-(2**127), 2**127 - 1, "i128"),
    ],
)
def test_types_hold_values(low: int, high: int, kind: str) -> None:
    assert render.holding(low, high) == kind


def test_what_no_type_holds_is_refused() -> None:
    """At build time: an instruction whose values are wider would not be exact."""
    wide = name("a", 0, 2**100)
    with pytest.raises(render.TooWide):
        render.value(fold.binary("*", wide, wide))
    with pytest.raises(render.TooWide):
        render.value(fold.binary(">>", name("a", 0, 2**64 - 1), name("b", 0, 64)))
    assert render.value(const(-1)) == "((int64_t)UINT64_C(0xffffffffffffffff))"


def space(machine: Machine, page: int, leads_to: int) -> int:
    """Page tables at a page of RAM and the three after it: RAM is where it is, virtual page 0 is
    one of its pages.  The satp without its mode."""
    ram = machine.ram.u64
    first = (BASE >> 12) + page
    ram[page * 512] = first + 1 << 10 | 1
    ram[(page + 1) * 512] = first + 2 << 10 | 1
    ram[(page + 2) * 512] = (BASE >> 12) + leads_to << 10 | 0xCF
    ram[page * 512 + 2] = first + 3 << 10 | 1
    ram[(page + 3) * 512] = BASE >> 2 | 0xCF
    return first


def looking(machine: Machine, root: int) -> None:
    """In S mode, in a space."""
    h = machine.hart
    h.pmp.allow_all()
    h.priv = S
    h.csr.write(SATP, 8 << 60 | root)


def test_more_fences_than_there_are_tags() -> None:
    """Each forgets the space; what is right is what the page tables say at that moment."""
    p = Program()
    p.label("loop")
    p.put("sd", 6, 5, 0)
    p.put("sfence.vma", 0, 0)
    p.put("ld", 10, 0, 16)
    p.put("add", 12, 12, 10)
    p.put("xor", 6, 6, 7)
    p.put("addi", 13, 13, -1)
    p.put("bne", 13, 0, "loop")
    p.put("ecall")
    machine = Machine(RV64, 1 << 16, p.code())
    h = machine.hart
    looking(machine, space(machine, 4, 1))
    h.monitor = True
    first, second = [(BASE >> 12) + page << 10 | 0xCF for page in (1, 2)]
    machine.ram.u64[512 + 2], machine.ram.u64[1024 + 2] = 1, 1000
    turns = 10_000
    h.x[5], h.x[6], h.x[7], h.x[13] = BASE + 6 * PAGE, first, first ^ second, turns
    assert Native(h).run(turns * 8) is Stop.MONITOR
    assert h.trap.cause == Cause.ECALL_S
    assert h.x[12] == turns // 2 * 1001


def test_more_spaces_than_regimes() -> None:
    """Some of them again after that, and their code too: each has its own at one address."""
    machine = Machine(RV64, 1 << 20, b"")
    engine = Native(machine.hart)
    h = machine.hart
    h.monitor = True
    roots = []
    for number in range(40):
        own = Program()
        own.put("addi", 10, 0, number)
        own.put("ecall")
        at = (200 + number) * PAGE
        machine.ram.view[at : at + 8] = own.code()
        roots.append(space(machine, 4 * number, 200 + number))
    looking(machine, roots[0])
    for asid in range(3 * REGIMES):
        number = asid % 40
        h.csr.write(SATP, 8 << 60 | asid << 44 | roots[number])
        h.pc = 0
        assert engine.run(10) is Stop.MONITOR
        assert h.x[10] == number


def test_code_that_would_fill_one_place_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is executed all the same, and the table does not grow for ever."""
    monkeypatch.setattr(code, "MOST_ENTRIES", FIRST_ENTRIES)
    p = Program()
    p.label("start")
    for _ in range(2 * FIRST_ENTRIES):
        p.put("addi", 10, 10, 1)
        p.put("beq", 0, 0, 4)
    p.la(5, "start")
    p.put("jalr", 0, 5, 0)
    last = agree(*sides(p, Native), [100_000])
    assert last.x[10] > 45_000


def test_a_page_of_code_by_two_addresses() -> None:
    """Stored to by one, executed by the other, without a fence: the hart sees its own stores."""
    p = Program()
    p.label("loop")
    p.put("sw", 6, 5, 0)
    p.put("jalr", 1, 0, 0)
    p.put("sw", 7, 5, 0)
    p.put("jalr", 1, 0, 0)
    p.put("addi", 13, 13, -1)
    p.put("bne", 13, 0, "loop")
    p.put("ecall")
    machine = Machine(RV64, 1 << 16, p.code())
    h = machine.hart
    looking(machine, space(machine, 4, 1))
    h.monitor = True
    words = Program()
    words.put("jalr", 0, 1, 0)
    machine.ram.view[PAGE + 4 : PAGE + 8] = words.code()
    h.x[5], h.x[13] = BASE + PAGE, 50
    h.x[6], h.x[7] = p.encoded("addi", 10, 10, 1), p.encoded("addi", 10, 10, 100)
    assert Native(h).run(1000) is Stop.MONITOR
    assert (h.trap.cause, h.x[10]) == (Cause.ECALL_S, 50 * 101)


def test_protection_that_changes_under_cached_pages() -> None:
    """PMP is looked at anew, without sfence.vma."""
    p = Program()
    p.put("ld", 10, 5, 0)
    p.put("sd", 10, 5, 0)
    p.put("ecall")
    machine = Machine(RV64, 1 << 16, p.code())
    engine, h = Native(machine.hart), machine.hart
    h.monitor = True
    looking(machine, space(machine, 4, 1))
    h.x[5] = 16
    assert engine.run(10) is Stop.MONITOR
    assert h.trap.cause == Cause.ECALL_S
    for cfg, cause in ((0x1F1D, Cause.STORE_ACCESS), (0x1F1C, Cause.LOAD_ACCESS)):
        h.priv, h.pc = M, BASE
        h.csr.write(0x3B1, (1 << 54) - 1)
        h.csr.write(0x3B0, BASE + PAGE >> 2 | 0x1FF)
        h.csr.write(0x3A0, cfg)
        h.priv = S
        h.context_changed()
        assert engine.run(10) is Stop.MONITOR
        assert (h.trap.cause, h.trap.tval) == (cause, 16)
