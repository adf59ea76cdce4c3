"""The native engine's own tables: many blocks, far pages, contexts; and what it is made of."""

from __future__ import annotations

import pytest
from hart_machine import BASE, Machine
from translate_program import Program, Side, agree, sides

from minion.hart.config import RV64, Isa
from minion.hart.decode import functions
from minion.hart.encoding import Kind, encodings
from minion.hart.interpreter import Interpreter
from minion.hart.mmu import PAGE
from minion.hart.native import render
from minion.hart.native.code import FIRST_ENTRIES
from minion.hart.native.engine import Native
from minion.hart.native.write import EXTENSIONS, instructions
from minion.hart.state import Stop
from minion.hart.translate import fold
from minion.hart.translate.node import const, name

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
