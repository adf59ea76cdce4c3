"""Instruction words from the tables the decoder uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.hart.config import Isa
from minion.hart.encoding import Encoding, encodings


def s_imm(v: int) -> int:
    return (v >> 5 & 127) << 25 | (v & 31) << 7


def b_imm(v: int) -> int:
    return (v >> 12 & 1) << 31 | (v >> 5 & 63) << 25 | (v >> 1 & 15) << 8 | (v >> 11 & 1) << 7


def j_imm(v: int) -> int:
    high = (v >> 20 & 1) << 31 | (v >> 1 & 0x3FF) << 21
    return high | (v >> 11 & 1) << 20 | (v >> 12 & 0xFF) << 12


PLACES: Final[dict[str, Callable[[int], int]]] = {
    "rd": lambda v: v << 7,
    "fd": lambda v: v << 7,
    "rs1": lambda v: v << 15,
    "fs1": lambda v: v << 15,
    "uimm": lambda v: v << 15,
    "rs2": lambda v: v << 20,
    "fs2": lambda v: v << 20,
    "shamt": lambda v: v << 20,
    "fs3": lambda v: v << 27,
    "rm": lambda v: v << 12,
    "imm": lambda v: (v & 0xFFF) << 20,
    "csr": lambda v: v << 20,
    "simm": s_imm,
    "btarget": b_imm,
    "jtarget": j_imm,
    "upper": lambda v: (v & 0xFFFFF) << 12,
    "pcupper": lambda v: (v & 0xFFFFF) << 12,
}
"""Targets are offsets from the instruction; link has no bits."""


def table(isa: Isa) -> dict[str, Encoding]:
    sections = [s for letter in isa.extensions for s in (letter, f"{letter}{isa.xlen}")]
    return {e.name: e for section in sections for e in encodings(section)}


def word(encoding: Encoding, *operands: int) -> int:
    """The operands in the order of the table, without link."""
    fields = [f for f in encoding.operands if f != "link"]
    bits = [PLACES[f](v) for f, v in zip(fields, operands, strict=True)]
    return encoding.match | sum(bits)


class Assembler:
    """Code: words and halves, one after the other."""

    def __init__(self, isa: Isa) -> None:
        self.isa = isa
        self._table = table(isa)
        self.code = bytearray()
        self._jumps: list[tuple[int, Encoding, list[int], int]] = []
        self._starts: list[int] = []

    def put(self, name: str, *operands: int) -> None:
        self.word(word(self._table[name], *operands))

    def start(self) -> None:
        """Here begins a step: what jumps go to."""
        self._starts.append(len(self.code))

    def jump(self, encoding: Encoding, operands: list[int], steps: int) -> None:
        """A branch whose last operand is still open: so many steps on, but not past the end."""
        self._jumps.append((len(self.code), encoding, operands, len(self._starts) + steps))
        self.code += bytes(4)

    def finish(self) -> bytes:
        ends = [*self._starts, len(self.code)]
        for at, encoding, operands, step in self._jumps:
            offset = ends[min(step, len(ends) - 1)] - at
            self.code[at : at + 4] = word(encoding, *operands[:-1], offset).to_bytes(4, "little")
        return bytes(self.code)

    def word(self, value: int) -> None:
        """An instruction word, of which compressed ones use the low half."""
        self.code += value.to_bytes(4, "little")[: 4 if value & 3 == 3 else 2]

    def li(self, rd: int, value: int) -> None:
        """A constant, as the assembler's li: any of xlen bits."""
        value &= self.isa.mask
        signed = value - (1 << self.isa.xlen) if value >> self.isa.xlen - 1 else value
        self._li(rd, signed)

    def _li(self, rd: int, value: int) -> None:
        low = (value & 0xFFF ^ 0x800) - 0x800
        if -(1 << 31) <= value < 1 << 31:
            upper = value - low >> 12 & 0xFFFFF
            if upper:
                self.put("lui", rd, upper)
                self.put("addiw" if self.isa.xlen == 64 else "addi", rd, rd, low)
            else:
                self.put("addi", rd, 0, low)
            return
        self._li(rd, value - low >> 12)
        self.put("slli", rd, rd, 12)
        self.put("addi", rd, rd, low)
