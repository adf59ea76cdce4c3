"""Random programs with loops, calls, traps and stores into their own code, in every engine.

TRANSLATE_EXAMPLES=1000 in the environment makes a campaign of it.
"""

from __future__ import annotations

import os
from random import Random

from hart_generator import corner
from hypothesis import given, settings
from hypothesis import strategies as st
from translate_program import Other, Program, agree, sides, skip_instruction

from minion.hart.config import RV64, Isa
from minion.hart.cost import DEFAULT, ROCKET
from minion.hart.encoding import Kind, encodings
from minion.hart.native.engine import Native
from minion.hart.translate.config import Config

EXAMPLES = int(os.environ.get("TRANSLATE_EXAMPLES", "40"))
DATA = 0x2000
POINTERS = (8, 9)
"""They point into the data; loops count in 20 and up; 1 and 5 are links."""
REGISTERS = (0, 10, 11, 12, 13, 14, 15)
KINDS = (Kind.ALU, Kind.MUL, Kind.DIV)
OTHERS = (
    Config(hot=2, warm=1), Config(hot=1, warm=1), Config(hot=5, warm=2, small=16, steady=9), Native,
)  # fmt: skip


class Writer:
    """Writes one program."""

    def __init__(self, rng: Random, isa: Isa) -> None:
        self.rng = rng
        self.p = Program(isa)
        rows = [e for s in ("i", f"i{isa.xlen}", "m", f"m{isa.xlen}") for e in encodings(s)]
        self._simple = [e for e in rows if e.kind in KINDS and "pcupper" not in e.operands]
        self._loads = [e for e in rows if e.kind is Kind.LOAD]
        self._stores = [e for e in rows if e.kind is Kind.STORE]
        self._labels = 0
        self._patches: list[str] = []

    def program(self) -> Program:
        p, rng = self.p, self.rng
        p.li(8, 0x8000_0000 + DATA + 512)
        p.li(9, 0x8000_0000 + DATA + 4096 - 8)
        p.label("start")
        self._body(0, rng.randrange(4, 9))
        p.put("jal", 0, "start")
        for name in ("leaf", "other"):
            p.label(name)
            self._body(3, 2)
            p.put("jalr", 0, 1, 0)
        assert p.here < DATA
        return p

    def _label(self) -> str:
        self._labels += 1
        return f"l{self._labels}"

    def _body(self, depth: int, count: int) -> None:
        for _ in range(count):
            self._step(depth)

    def _step(self, depth: int) -> None:
        rng = self.rng
        pick = rng.randrange(24)
        if pick < 9:
            self._alu()
        elif pick < 13:
            self._access()
        elif pick < 15 and depth < 3:
            self._loop(depth)
        elif pick < 18:
            self._branch(depth)
        elif pick < 20 and depth < 3:
            self.p.put("jal", 1, rng.choice(("leaf", "other")))
        elif pick == 20:
            self._switch(depth)
        elif pick == 21:
            self._patch()
        elif pick == 22:
            self._odd()
        else:
            self.p.put("addi", rng.choice(POINTERS), rng.choice(POINTERS), rng.choice((-8, 3, 8)))

    def _alu(self) -> None:
        rng = self.rng
        e = rng.choice(self._simple)
        values = []
        for operand in e.operands:
            if operand == "upper":
                values.append(rng.getrandbits(20))
            elif operand == "imm":
                values.append(rng.choice((0, 1, -1, 2047, -2048, rng.randrange(-99, 99))))
            elif operand == "shamt":
                values.append(rng.randrange(self.p.isa.xlen if not e.name.endswith("w") else 32))
            else:
                values.append(rng.choice(REGISTERS))
        self.p.put(e.name, *values)

    def _access(self) -> None:
        rng = self.rng
        e = rng.choice(self._loads + self._stores)
        self.p.put(
            e.name, rng.choice(REGISTERS), rng.choice(POINTERS),
            rng.choice((0, 0, 8, 16, -8, -16, 4, 1, 40)),
        )  # fmt: skip

    def _loop(self, depth: int) -> None:
        p, counter, label = self.p, 20 + depth, self._label()
        p.put("addi", counter, 0, self.rng.randrange(1, 12))
        p.label(label)
        self._body(depth + 1, self.rng.randrange(1, 5))
        p.put("addi", counter, counter, -1)
        p.put("bne", counter, 0, label)

    def _branch(self, depth: int) -> None:
        p, rng, over = self.p, self.rng, self._label()
        kinds = ("beq", "bne", "blt", "bge", "bltu", "bgeu")
        p.put(rng.choice(kinds), rng.choice(REGISTERS), rng.choice(REGISTERS), over)
        self._body(depth + 1, rng.randrange(1, 3))
        if rng.randrange(2):
            end = self._label()
            p.put("jal", 0, end)
            p.label(over)
            self._body(depth + 1, 1)
            over = end
        p.label(over)

    def _switch(self, depth: int) -> None:
        """A jump through a register, to one of some places."""
        p, rng, end, first = self.p, self.rng, self._label(), self._label()
        cases = rng.choice((2, 4, 8))
        p.put("andi", 6, rng.choice(REGISTERS[1:]), cases - 1)
        p.put("slli", 6, 6, 3)
        p.la(7, first)
        p.put("add", 7, 7, 6)
        p.put("jalr", rng.choice((0, 0, 5)), 7, rng.choice((0, 0, 1)))
        p.label(first)
        for _ in range(cases):
            p.put("addi", rng.choice(REGISTERS[1:]), rng.choice(REGISTERS), rng.randrange(9))
            p.put("jal", 0, end)
        p.label(end)

    def _patch(self) -> None:
        """Store an instruction: over one here, or over one stored to elsewhere."""
        p, rng, label = self.p, self.rng, self._label()
        self._patches.append(label)
        p.la(6, rng.choice(self._patches))
        p.la(7, label)
        p.put("lw", 7, 7, 0)
        p.put("xori", 7, 7, rng.choice((0x80, 0x100, 0)))  # another rd
        p.put("sw", 7, 6, 0)
        p.label(label)
        p.put("addi", rng.choice((10, 11)), rng.choice(REGISTERS), 1)

    def _odd(self) -> None:
        p, rng = self.p, self.rng
        match rng.randrange(6):
            case 0:
                p.put("ecall")
            case 1:
                p.put("lw", 15, rng.choice(REGISTERS), 0)
            case 2:
                p.put("sw", 15, rng.choice((0, 15)), rng.randrange(-9, 9))
            case 3:
                p.put("fence.i")
            case 4:
                p.put("csrrs", 14, 0xC02, 0)
            case 5:
                p.put("andi", 7, 8, -8)
                p.put("amoadd.w", 11, 10, 7)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES < 1000)
@given(st.randoms(use_true_random=False), st.integers(0, 1 << 32), st.sampled_from(OTHERS))
def test_engines_do_the_same(rng: Random, seed: int, other: Other) -> None:
    noise = Random(seed)
    isa = RV64 if seed % 3 else Isa(32, "imacsu")
    program = Writer(rng, isa).program()
    plain, beside = sides(program, other, isa, ROCKET if seed % 5 == 0 else DEFAULT)
    data = noise.randbytes(8192)
    registers = [corner(noise, isa.xlen) for _ in range(32)]
    for side in (plain, beside):
        side.machine.ram.view[DATA : DATA + 8192] = data
        for n in REGISTERS[1:]:
            side.hart.x[n] = registers[n]
    limits = [noise.choice((3, 400, 900, 2500)) for _ in range(30)]
    agree(plain, beside, limits, skip_instruction)
