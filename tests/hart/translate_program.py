"""Programs with labels, and another engine beside the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from hart_assembler import table, word
from hart_machine import BASE, Machine

from minion.hart.config import RV64, Isa
from minion.hart.cost import DEFAULT, Cost
from minion.hart.interpreter import Interpreter
from minion.hart.native.engine import Native
from minion.hart.state import Hart, Stop
from minion.hart.translate.config import Config
from minion.hart.translate.translator import Translator

EAGER: Final = Config(hot=2, warm=1)
"""Translate what is executed for the second time."""
Engine = Interpreter | Translator | Native
Other = Config | type[Native]
"""The engine beside the interpreter: a translator so configured, or the native one."""


class Program:
    """Words of code; operands that are names of labels are offsets to them."""

    def __init__(self, isa: Isa = RV64) -> None:
        self.isa = isa
        self._table = table(isa)
        self._words: list[int | tuple[str, tuple[int | str, ...]]] = []
        self._labels: dict[str, int] = {}

    @property
    def here(self) -> int:
        """As an offset."""
        return 4 * len(self._words)

    def label(self, name: str, at: int | None = None) -> None:
        self._labels[name] = self.here if at is None else at

    def put(self, name: str, *operands: int | str) -> None:
        self._words.append((name, operands))

    def word(self, value: int) -> None:
        self._words.append(value)

    def encoded(self, name: str, *operands: int) -> int:
        return word(self._table[name], *operands)

    def la(self, rd: int, label: str) -> None:
        """The address of a label."""
        self.put("auipc", rd, f"%hi {label}")
        self.put("addi", rd, rd, f"%lo {label}")

    def li(self, rd: int, value: int) -> None:
        """A constant of 32 bits."""
        low = (value & 0xFFF ^ 0x800) - 0x800
        self.put("lui", rd, value - low >> 12 & 0xFFFFF)
        self.put("addi", rd, rd, low)

    def align(self, size: int) -> None:
        while self.here % size:
            self.put("addi", 0, 0, 0)

    def _operand(self, value: int | str, at: int) -> int:
        if isinstance(value, int):
            return value
        kind, _, label = value.partition(" ") if value[0] == "%" else ("", "", value)
        offset = self._labels[label] - (at - 4 if kind == "%lo" else at)
        low = (offset & 0xFFF ^ 0x800) - 0x800
        return {"": offset, "%hi": offset - low >> 12 & 0xFFFFF, "%lo": low}[kind]

    def code(self) -> bytes:
        out = bytearray()
        for item in self._words:
            if isinstance(item, tuple):
                name, operands = item
                values = [self._operand(o, len(out)) for o in operands]
                out += word(self._table[name], *values).to_bytes(4, "little")
            else:
                out += item.to_bytes(4, "little")
        return bytes(out)

    def address(self, label: str) -> int:
        return BASE + self._labels[label]


class Seen(NamedTuple):
    """A hart, and why its engine stopped."""

    stop: Stop
    cause: int
    tval: int
    pc: int
    priv: int
    x: tuple[int, ...]
    f: tuple[int, ...]
    fcsr: tuple[int, int]
    mstatus: int
    instret: int
    cycles: int


class Side:
    """One engine with a machine of its own."""

    def __init__(
        self, make: Callable[[Hart], Engine], program: Program | bytes,
        isa: Isa = RV64, cost: Cost = DEFAULT, ram_bytes: int = 1 << 18,
    ) -> None:  # fmt: skip
        image = program.code() if isinstance(program, Program) else program
        self.machine = Machine(isa, ram_bytes, image)
        self.hart = self.machine.hart
        if cost is not DEFAULT:
            m = self.machine
            self.hart = m.hart = Hart(m.bus, m.ram, m.lines, isa, cost=cost)
        self.hart.monitor = True
        self.engine = make(self.hart)

    def run(self, limit: int) -> Seen:
        stop = self.engine.run(limit)
        h = self.hart
        return Seen(
            stop, h.trap.cause, h.trap.tval, h.pc, h.priv, tuple(h.x[:32]), tuple(h.f),
            (h.fflags, h.frm), h.mstatus, h.instret, h.cycles,
        )  # fmt: skip

    @property
    def units(self) -> int:
        assert isinstance(self.engine, Translator)
        return self.engine.units


def sides(
    program: Program | bytes, other: Other = EAGER, isa: Isa = RV64, cost: Cost = DEFAULT,
) -> tuple[Side, Side]:  # fmt: skip
    """The interpreter's, and the other engine's."""
    make = partial(Translator, config=other) if isinstance(other, Config) else other
    return Side(Interpreter, program, isa, cost), Side(make, program, isa, cost)


def agree(
    plain: Side, other: Side, limits: list[int], skip: Callable[[Hart], None] | None = None
) -> Seen:
    """Run both; after each limit they are the same.  skip: what to do about a trap."""
    last = None
    for limit in limits:
        last = plain.run(limit)
        seen = other.run(limit)
        assert seen == last, differences(last, seen)
        if last.stop is Stop.MONITOR:
            if skip is None:
                break
            skip(plain.hart)
            skip(other.hart)
        elif last.stop is not Stop.LIMIT:
            break
    assert last is not None
    assert plain.machine.ram.view == other.machine.ram.view, "memory differs"
    return last


def differences(plain: Seen, other: Seen) -> str:
    lines = []
    for field, a, b in zip(Seen._fields, plain, other, strict=True):
        if a != b:
            if isinstance(a, tuple):
                pairs = enumerate(zip(a, b, strict=True))
                text = ", ".join(f"{n}: {p:#x} {q:#x}" for n, (p, q) in pairs if p != q)
            else:
                text = f"{a:#x} {b:#x}"
            lines.append(f"{field}: interpreter, other {text}")
    return "\n".join(lines)


def skip_instruction(h: Hart) -> None:
    """As a handler does that gives up on it; a jump into nowhere goes on at the start."""
    offset = h.pc - BASE
    if not 0 <= offset < h.mmu.ram.size - 4:
        h.pc = BASE
        return
    h.pc += 4 if h.mmu.ram.view[offset] & 3 == 3 else 2
