"""The semantics as C: one labelled piece for each instruction, for loop.h.

The same functions that the block translator rewrites (translate/semantics.py) are called once for
each instruction of the table, with operands that stand for those of a decoded one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from minion.hart.config import Isa
from minion.hart.decode import ADDRESSES, BIN, functions
from minion.hart.encoding import Encoding, Kind, encodings
from minion.hart.isa import Semantics
from minion.hart.native import render
from minion.hart.translate.node import Expr, const, name
from minion.hart.translate.semantics import Jump, Machine, Opaque, Value, definition, expression

REGISTERS: Final = ("rd", "rs1", "rs2", "fd", "fs1", "fs2", "fs3")
RANGES: Final = {
    "imm": (-2048, 2047), "simm": (-2048, 2047), "uimm": (0, 31), "shamt": (0, 63), "rm": (0, 7),
    "csr": (0, 4095),
}  # fmt: skip
"""Of operands that are no addresses."""
DOUBLE: Final = (1 << 64) - 1
EXTENSIONS: Final = "imafds"
FLOATING: Final = {
    "fadd": "add", "fsub": "sub", "fmul": "mul", "fdiv": "div", "fsqrt": "sqrt", "fmadd": "fma",
    "fmsub": "fma", "fnmadd": "fma", "fnmsub": "fma", "feq": "eq", "flt": "lt", "fle": "le",
    "fmin": "min", "fmax": "max", "fclass": "classify",
}  # fmt: skip
"""Instruction -> function of floating.h, without its format."""
FORMATS: Final = {"s": "f32", "d": "f64"}
INTEGERS: Final = {
    "w": ("i32", -(1 << 31), (1 << 31) - 1), "wu": ("u32", 0, (1 << 32) - 1),
    "l": ("i64", -(1 << 63), (1 << 63) - 1), "lu": ("u64", 0, DOUBLE),
}  # fmt: skip


class Floating(NamedTuple):
    """A function of floating.h, and between what its results are."""

    function: str
    low: int
    high: int


def floating(mnemonic: str) -> Floating:
    """What the calls in an instruction of F or D are.  Raises Opaque."""
    base, *suffixes = mnemonic.split(".")
    if base in FLOATING:
        high = 1 if base in ("feq", "flt", "fle") else DOUBLE
        return Floating(f"{FORMATS[suffixes[0]]}_{FLOATING[base]}", 0, high)
    if base == "fcvt":
        to, source = suffixes
        if to in FORMATS and source in FORMATS:
            return Floating(f"{FORMATS[source]}_to_{FORMATS[to]}", 0, DOUBLE)
        if to in FORMATS:
            wide = "u64" if source.endswith("u") else "i64"
            return Floating(f"{FORMATS[to]}_from_{wide}", 0, DOUBLE)
        kind, low, high = INTEGERS[to]
        return Floating(f"{FORMATS[source]}_to_{kind}", low, high)
    raise Opaque(mnemonic)


class Writer(Machine):
    """Writes one instruction down."""

    def __init__(self, mnemonic: str, mask: int) -> None:
        self.lines: list[str] = []
        self._mnemonic = mnemonic
        self._mask = mask
        self._used = 0

    def read(self, file: str, number: Value) -> Value:
        return name(self._register(file, number), 0, self._mask if file == "x" else DOUBLE)

    def write(self, file: str, number: Value, value: Value) -> None:
        what = render.value(expression(value))
        self.lines.append(f"{self._register(file, number)} = {what};")

    def _register(self, file: str, number: Value) -> str:
        return f"h->{file}[{expression(number).text}]"

    def load(self, addr: Value, size: int) -> Expr:
        return self._access("LOAD", addr, size)

    def store(self, addr: Value, size: int, value: Value) -> None:
        where, what = render.value(expression(addr)), render.value(expression(value))
        self.lines.append(f"STORE({8 * size}, {where}, {what});")

    def call(self, function: object, arguments: list[object]) -> Expr:
        match function, arguments:
            case "h.mmu.amo_load", [addr, int() as size]:
                return self._access("AMO", value_of(addr), size)
            case "h.mmu.load_reserved", [addr, int() as size]:
                return self._access("LOAD_RESERVED", value_of(addr), size)
            case "h.mmu.store_conditional", [addr, int() as size, value]:
                where, what = [render.value(expression(value_of(v))) for v in (addr, value)]
                target = self._temporary()
                self.lines.append(f"STORE_CONDITIONAL({8 * size}, {target}, {where}, {what});")
                return name(target, 0, 1)
            case "h.mmu.sfence", _:
                given = ", ".join(render.value(expression(value_of(v))) for v in arguments)
                self.lines.append(f"SFENCE({given});")
                return const(0)
            case "h.csr.exchange", _:
                given = ", ".join(render.value(expression(value_of(v))) for v in arguments)
                target = self._temporary()
                self.lines.append(f"EXCHANGE({target}, {given});")
                return name(target, 0, self._mask)
            case str(), _:
                raise Opaque(function)
        return self._floating([value_of(arg) for arg in arguments if arg is not self])

    def _floating(self, arguments: list[Value]) -> Expr:
        function, low, high = floating(self._mnemonic)
        given = ", ".join(render.value(expression(value)) for value in arguments)
        target = self._temporary()
        if function.endswith("classify"):
            self.lines.append(f"uint64_t {target} = {function}({given});")
        else:
            self.lines.append(f"FLOATING({target}, {function}, {given});")
        kind = render.holding(low, high)
        return name(target if kind == "uint64_t" else f"({kind}){target}", low, high)

    def keep(self, value: Value) -> Value:
        e = expression(value)
        if e.op in ("const", "name"):
            return value
        return self._kept(e)

    def hold(self, value: Value) -> Value:
        return value if isinstance(value, int) else self._kept(value)

    def attribute(self, name_: str) -> Expr:
        return name(f"(uint64_t)h->{name_}", 0, 31 if name_ == "fflags" else 7)

    def set_bits(self, name_: str, bits: Value) -> None:
        self.lines.append(f"h->{name_} |= {render.value(expression(bits))};")

    def _kept(self, e: Expr) -> Expr:
        target = self._temporary()
        self.lines.append(f"{render.type_of(e)} {target} = {render.value(e)};")
        return name(target, e.lo, e.hi)

    def _access(self, how: str, addr: Value, size: int) -> Expr:
        target = self._temporary()
        where = render.value(expression(addr))
        self.lines.append(f"{how}({8 * size}, {target}, {where});")
        return name(target, 0, (1 << 8 * size) - 1)

    def _temporary(self) -> str:
        self._used += 1
        return f"t{self._used}"


def value_of(argument: object) -> Value:
    assert isinstance(argument, Expr | int)
    return argument


class Instruction(NamedTuple):
    mnemonic: str
    slots: str
    """Of its operands, in order: "r" a register's number, "i" anything else."""
    source: str


def operands(encoding: Encoding, mask: int) -> tuple[list[Expr], str]:
    """What stands for them, and their slots."""
    values: list[Expr] = []
    slots = ""
    for field in encoding.operands:
        slot = "r" if field in REGISTERS else "i"
        place = f"op->{slot}[{slots.count(slot)}]"
        low, high = (0, BIN) if slot == "r" else (0, mask) if field in ADDRESSES else RANGES[field]
        values.append(name(f"({render.holding(low, high)}){place}", low, high))
        slots += slot
    return values, slots


def instruction(encoding: Encoding, function: Semantics, mask: int) -> Instruction:
    """Raises Opaque, render.TooWide."""
    values, slots = operands(encoding, mask)
    writer = Writer(encoding.name, mask)
    jump = definition(function).write(writer, *values)
    writer.lines.append(ending(jump))
    return Instruction(encoding.name, slots, "\n    ".join(writer.lines))


def ending(jump: Jump | None) -> str:
    if jump is None:
        return "NEXT;"
    target = render.value(jump.target)
    if jump.condition.constant:
        return f"JUMP({target});" if jump.condition.lo else "NEXT;"
    return f"BRANCH({render.value(jump.condition)}, {target});"


def instructions(xlen: int) -> list[Instruction]:
    """All that are native.  Traps, fence.i and most CSRs (code.py) stay with the plain engine."""
    isa = Isa(xlen)
    known = functions(isa)
    sections = [section for letter in EXTENSIONS for section in (letter, f"{letter}{xlen}")]
    return [
        instruction(encoding, known[encoding.name], isa.mask)
        for section in sections
        for encoding in encodings(section)
        if encoding.kind is not Kind.SYSTEM
        or "csr" in encoding.operands
        or encoding.name == "sfence.vma"
    ]


def source(xlen: int) -> str:
    """Three macros: LIST_xlen, the labels; CODE_xlen, the pieces; TABLE_xlen, what native reads."""
    found = instructions(xlen)
    labels = ", ".join(f"&&{label(i.mnemonic)}" for i in found)
    pieces = "\n".join(f"{label(i.mnemonic)}: {{\n    {i.source}\n}}" for i in found)
    table = " ".join(f"{i.mnemonic}:{i.slots}" for i in found)
    body = pieces.replace("\n", " \\\n")
    return (
        f"#define LIST_{xlen} {labels}\n#define CODE_{xlen} \\\n{body}\n"
        f'#define TABLE_{xlen} "{table}"\n'
    )


def label(mnemonic: str) -> str:
    return "do_" + mnemonic.replace(".", "_")
