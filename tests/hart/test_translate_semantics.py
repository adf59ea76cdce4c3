"""The semantics' source: all of it can be inlined, and without it the translator says so."""

from __future__ import annotations

import ast
import inspect

import pytest
from hart_machine import BASE, Machine
from translate_program import Program, agree, sides

from minion.hart.config import RV64, Isa
from minion.hart.decode import functions
from minion.hart.encoding import Kind, encodings
from minion.hart.isa import rv_i
from minion.hart.state import Hart
from minion.hart.translate import semantics
from minion.hart.translate.semantics import NoSource, Opaque, Rewriter, definition
from minion.hart.translate.translator import Translator

SYSTEM = {e.name for section in ("i", "s") for e in encodings(section) if e.kind is Kind.SYSTEM}


@pytest.mark.parametrize("isa", [RV64, Isa(32, "imafdcsu")], ids=["rv64", "rv32"])
def test_every_instruction_can_be_inlined(isa: Isa) -> None:
    for name, function in functions(isa).items():
        if name not in SYSTEM:
            assert definition(function).write, name


def test_without_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_module: object) -> str:
        raise OSError("no source")

    for cached in (semantics.functions_of, semantics.rewritten, semantics.definition):
        cached.cache_clear()
    monkeypatch.setattr(inspect, "getsource", gone)
    with pytest.raises(NoSource, match="interpreter"):
        Translator(Machine(RV64).hart)


def test_compiled_functions() -> None:
    with pytest.raises(NoSource, match="interpreter"):
        definition(len)


@pytest.mark.parametrize(
    "body",
    [
        "for n in range(3): h.x[rd] = n",
        "h.x[rd] = h.csr.exchange(rd, 0, 0, True) if rd else 0",
        "h.pc = 3",
        "h.x[rd] = sum([1, 2])",
        "h.x[rd] = h.f",
        "if rd: h.x[rd] = 1",
    ],
)
def test_what_is_more_than_straight_code(body: str) -> None:
    tree = ast.parse(f"def f(h, rd):\n    {body}\n").body[0]
    assert isinstance(tree, ast.FunctionDef)
    with pytest.raises(Opaque):
        Rewriter(tree).body()


def odd(h: Hart, rd: int, rs1: int, _rs2: int) -> None:
    """In place of an instruction: with a loop, so that it cannot be inlined."""
    for _ in range(2):
        h.x[rd] = h.x[rd] + h.x[rs1] & (1 << 64) - 1


def test_opaque_instructions_are_interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = rv_i.base
    monkeypatch.setattr(rv_i, "base", lambda xlen: real(xlen) | {"xor_": odd})
    p = Program()
    p.label("loop")
    p.put("addi", 5, 5, 1)
    p.put("beq", 5, 6, "out")
    p.put("jal", 0, "loop")
    p.label("out")
    p.put("xor", 10, 5, 0)
    p.put("addi", 5, 0, 0)
    p.put("jal", 0, "loop")
    pair = sides(p)
    for side in pair:
        side.hart.x[6] = 30
    assert agree(*pair, [3000]).x[10] > 1000
    assert pair[1].units
    assert pair[0].hart.pc >= BASE
