"""Bits to instructions: name, function, operands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from minion.hart.config import Isa
from minion.hart.encoding import Encoding, Kind, encodings
from minion.hart.fields import Cause
from minion.hart.isa import Semantics, rv_a, rv_c, rv_d, rv_f, rv_i, rv_m, system, zicsr
from minion.hart.state import Hart
from minion.hart.trap import Trap

BIN: Final = 32
"""The register that x0 is when written: h.x has 33 entries."""


class Decoded(NamedTuple):
    name: str
    function: Semantics
    operands: tuple[int, ...]
    length: int
    raw: int
    kind: Kind


def illegal(_h: Hart) -> None:
    raise Trap(Cause.ILLEGAL, 0)


def signed(value: int, bits: int) -> int:
    return (value ^ 1 << bits - 1) - (1 << bits - 1)


def branch_offset(w: int) -> int:
    return signed(w >> 31 << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 63) << 5 | (w >> 8 & 15) << 1, 13)


def jump_offset(w: int) -> int:
    high = w >> 31 << 20 | (w >> 12 & 0xFF) << 12 | (w >> 20 & 1) << 11
    return signed(high | (w >> 21 & 0x3FF) << 1, 21)


Field = Callable[[int], int]

NONE, PC, NEXT = range(3)
"""What an operand counts from: nothing, the instruction, the one after it."""

FIELDS: Final[Mapping[str, tuple[Field, int]]] = {
    "rd": (lambda w: w >> 7 & 31 or BIN, NONE),
    "rs1": (lambda w: w >> 15 & 31, NONE),
    "rs2": (lambda w: w >> 20 & 31, NONE),
    "fd": (lambda w: w >> 7 & 31, NONE),
    "fs1": (lambda w: w >> 15 & 31, NONE),
    "fs2": (lambda w: w >> 20 & 31, NONE),
    "fs3": (lambda w: w >> 27, NONE),
    "rm": (lambda w: w >> 12 & 7, NONE),
    "imm": (lambda w: signed(w >> 20, 12), NONE),
    "simm": (lambda w: signed(w >> 25 << 5 | w >> 7 & 31, 12), NONE),
    "uimm": (lambda w: w >> 15 & 31, NONE),
    "shamt": (lambda w: w >> 20 & 63, NONE),
    "csr": (lambda w: w >> 20, NONE),
    "upper": (lambda w: signed(w & 0xFFFF_F000, 32), NONE),
    "pcupper": (lambda w: signed(w & 0xFFFF_F000, 32), PC),
    "btarget": (branch_offset, PC),
    "jtarget": (jump_offset, PC),
    "link": (lambda _w: 0, NEXT),
}
ADDRESSES: Final = frozenset(("upper", "pcupper", "btarget", "jtarget", "link"))
"""These are cut to xlen bits; immediates stay signed."""
RESERVED: Final = (5, 6)
"""Rounding modes that are none (20.2)."""

Row = tuple[Encoding, Semantics, list[tuple[Field, int, int]]]


def functions(isa: Isa) -> dict[str, Semantics]:
    """The semantics of every instruction of an isa, by mnemonic."""
    found = rv_i.base(isa.xlen) | system.system(isa.xlen) | zicsr.zicsr(isa.xlen)
    if isa.has("m"):
        found |= rv_m.multiply(isa.xlen)
    if isa.has("a"):
        found |= rv_a.atomic(isa.xlen)
    if isa.has("f"):
        found |= rv_f.single(isa.xlen)
    if isa.has("d"):
        found |= rv_d.double(isa.xlen)
    return {name.rstrip("_").replace("_", "."): function for name, function in found.items()}


class Decoder:
    def __init__(self, isa: Isa) -> None:
        self.isa = isa
        self._buckets: list[list[Row]] = [[] for _ in range(128)]
        known = functions(isa)
        for letter in isa.extensions:
            for section in (letter, f"{letter}{isa.xlen}"):
                for encoding in encodings(section):
                    self._add(encoding, known[encoding.name])

    def _add(self, encoding: Encoding, function: Semantics) -> None:
        mask = self.isa.mask
        fields = [(*FIELDS[f], mask if f in ADDRESSES else -1) for f in encoding.operands]
        self._buckets[encoding.match & 127].append((encoding, function, fields))

    def decode(self, word: int, pc: int, fp: bool = True) -> Decoded:
        """The instruction at pc; of word, only the low half counts if it is a compressed one.

        Whatever is no instruction decodes to `illegal`.  fp: mstatus.FS is not off.
        """
        length, raw = 4, word
        if word & 3 != 3:
            length, raw = 2, word & 0xFFFF
            word = rv_c.expand(raw, self.isa)
        bases = (0, pc, pc + length)
        for encoding, function, fields in self._buckets[word & 127]:
            if word & encoding.mask == encoding.match:
                if encoding.fp and (not fp or (encoding.rounds and word >> 12 & 7 in RESERVED)):
                    break
                operands = tuple([field(word) + bases[base] & mask for field, base, mask in fields])
                return Decoded(encoding.name, function, operands, length, raw, encoding.kind)
        return Decoded("illegal", illegal, (), length, raw, Kind.SYSTEM)
