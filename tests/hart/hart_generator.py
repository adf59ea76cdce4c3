"""Random records: valid instructions with corner operands, and words that may be anything."""

from __future__ import annotations

from random import Random
from typing import Final

from hart_assembler import Assembler, table, word
from hart_records import DATA as DATA_PAGE
from hart_records import MIDDLE, Record, data_address

from minion.hart.config import Isa
from minion.hart.encoding import Encoding, Kind

POINTERS: Final = (2, 8, 9)
"""Registers that point into the record's data and are no destinations: for loads and stores."""
OTHERS: Final = tuple(n for n in range(32) if n not in POINTERS)
LENGTH: Final = 24
HOLES: Final = (0, 8, 0x7F8, 0x9000_0000_0000, 0xFFFF_FFFF_FFFF_F800)
"""Addresses with nothing behind them, here and on QEMU's virt."""
MEMORY: Final = (Kind.LOAD, Kind.STORE, Kind.AMO)


def corner(rng: Random, xlen: int) -> int:
    """A register value: corners of every width, their neighbours, noise."""
    mask = (1 << xlen) - 1
    match rng.randrange(6):
        case 0:
            return rng.choice((0, 1, 2, mask, mask - 1))
        case 1:
            bit = 1 << rng.randrange(xlen)
            return rng.choice((bit, bit - 1, -bit & mask, ~bit & mask))
        case 2:
            base = rng.choice((1 << 31, 1 << 32, 1 << 63, 0xFFFF_FFFF_8000_0000, 1 << 15, 1 << 7))
            return base + rng.randrange(-2, 3) & mask
        case 3:
            return rng.getrandbits(rng.randrange(1, xlen + 1))
        case 4:
            return -rng.getrandbits(rng.randrange(1, xlen)) & mask
    return rng.getrandbits(xlen)


def registers(rng: Random, isa: Isa, index: int) -> list[int]:
    x = [corner(rng, isa.xlen) for _ in range(32)]
    middle = data_address(index) - DATA_PAGE + MIDDLE
    for n in POINTERS:
        x[n] = middle + (rng.choice((0, 0, 8, -8, 16, 64)) if n == 2 else rng.randrange(-64, 64))
    return x


def immediate(rng: Random) -> int:
    match rng.randrange(4):
        case 0:
            return rng.choice((-2048, -1, 0, 1, 2047))
        case 1:
            return rng.choice((-64, -8, -4, 4, 8, 16, 64))
    return rng.randrange(-2048, 2048)


def operands(rng: Random, isa: Isa, e: Encoding) -> list[int]:
    values = []
    for name in e.operands:
        match name:
            case "rd":
                values.append(rng.choice(OTHERS))
            case "rs1" if e.kind in MEMORY:
                values.append(rng.choice(POINTERS))
            case "rs1" | "rs2":
                values.append(rng.randrange(32))
            case "fd" | "fs1" | "fs2" | "fs3" | "uimm":
                values.append(rng.randrange(32))
            case "rm":
                values.append(rng.choice((0, 1, 2, 3, 4, 7, 7, 7, rng.randrange(8))))
            case "imm" | "simm":
                values.append(immediate(rng))
            case "shamt":
                wide = isa.xlen == 64 and not e.name.endswith("w")
                values.append(rng.randrange(64 if wide else 32))
            case "upper" | "pcupper":
                values.append(rng.getrandbits(20))
            case "btarget" | "jtarget":
                values.append(0)
    return values


class Generator:
    """Records of valid instructions of an isa."""

    def __init__(self, rng: Random, isa: Isa, letters: str = "imacfd") -> None:
        self._rng = rng
        self._isa = isa
        wanted = [e for e in table(isa).values() if e.kind is not Kind.SYSTEM]
        chosen = table(Isa(isa.xlen, "imcsu" + "".join(set(letters) & set("afd"))))
        skipped = ("jalr", "lr.w", "lr.d", "sc.w", "sc.d")  # they have steps of their own
        self._encodings = [
            e for e in wanted if e.name in chosen and e.name not in skipped
            and (e.name[:3] != "mul" or "m" in letters)
        ]  # fmt: skip

    def record(self, index: int) -> Record:
        rng, isa = self._rng, self._isa
        asm = Assembler(isa)
        count = rng.randrange(4, LENGTH)
        for _ in range(count):
            asm.start()
            self._one(asm)
        data = rng.randbytes(8192)
        record = Record(asm.finish(), registers(rng, isa, index), data=data)
        if isa.has("f"):
            record.f = [self._float() for _ in range(32)]
            record.fcsr = rng.randrange(5) << 5 | rng.getrandbits(5)
        return record

    def _float(self) -> int:
        """A raw pattern: singles are boxed, mostly."""
        rng = self._rng
        bits = rng.choice((32, 64, 64))
        exponent, fraction = (8, 23) if bits == 32 else (11, 52)
        e = rng.choice((0, 1, (1 << exponent) - 1, (1 << exponent) - 2, rng.getrandbits(exponent)))
        f = rng.choice((0, 1, (1 << fraction) - 1, 1 << fraction - 1, rng.getrandbits(fraction)))
        value = rng.getrandbits(1) << bits - 1 | e << fraction | f
        return value if bits == 64 or rng.randrange(16) == 0 else value | 0xFFFF_FFFF << 32

    def _one(self, asm: Assembler) -> None:
        rng, isa = self._rng, self._isa
        pick = rng.randrange(40)
        if pick < 10:
            asm.word(half(rng, isa))
        elif pick == 10:
            self._wild(asm)
        elif pick == 11:
            self._reserve(asm)
        elif pick == 12:
            self._jump(asm)
        elif pick == 13:
            asm.put(rng.choice(("ecall", "ebreak")))
        else:
            e = rng.choice(self._encodings)
            values = operands(rng, isa, e)
            if e.kind in (Kind.BRANCH, Kind.JUMP):
                asm.jump(e, values, rng.randrange(5))
                return
            if e.kind is Kind.AMO and rng.randrange(8):
                asm.put("andi", 8, 8, -8)
                values[-1] = 8
            asm.word(word(e, *values))

    def _wild(self, asm: Assembler) -> None:
        """An access to nowhere."""
        rng = self._rng
        memory = [e for e in self._encodings if e.kind in MEMORY]
        e = rng.choice(memory)
        asm.li(15, rng.choice(HOLES))
        values = operands(rng, self._isa, e)
        values = [15 if name == "rs1" else v for name, v in zip(e.operands, values, strict=True)]
        values = [0 if n in ("imm", "simm") else v for n, v in zip(e.operands, values, strict=True)]
        asm.word(word(e, *values))

    def _reserve(self, asm: Assembler) -> None:
        """LR and SC, with something between them.

        Aligned and of one width: QEMU does not mind a misaligned SC; after an LR of another
        width it stores and says that it failed.
        """
        rng, isa = self._rng, self._isa
        if not isa.has("a"):
            return
        suffix = rng.choice(("w", "d") if isa.xlen == 64 else ("w",))
        asm.put("andi", 8, 8, -8)
        asm.put(f"lr.{suffix}", 10, 8)
        match rng.randrange(5):
            case 0:
                asm.put("sw", 11, 8, rng.choice((0, 4, 8)))
            case 1:
                asm.put("amoadd.w", 12, 11, 8)
            case 2:
                asm.put("addi", 8, 8, 8)
            case 3:
                asm.put("ecall")
        asm.put(f"sc.{suffix}", 13, 14, 8)
        if rng.randrange(2):
            asm.put(f"sc.{suffix}", 14, 13, 8)

    def _jump(self, asm: Assembler) -> None:
        """jalr over an instruction; the odd bit of the target is dropped."""
        rng = self._rng
        base = rng.choice((5, 6, 7))
        asm.put("auipc", base, 0)
        asm.put("jalr", rng.choice((0, 1, 5)), base, 12 + rng.randrange(2))
        asm.put("addi", 10, 10, 1)


def half(rng: Random, isa: Isa) -> int:
    """A compressed word, legal or not, that goes nowhere and leaves the pointers."""
    while True:
        value = rng.getrandbits(16)
        quadrant, funct3, rd = value & 3, value >> 13, value >> 7 & 31
        if quadrant == 3:
            continue
        if quadrant == 1 and (funct3 >= 5 or (funct3 == 1 and isa.xlen == 32)):
            continue  # jumps and branches
        if quadrant == 2 and funct3 == 4 and value >> 2 & 31 == 0 and rd:
            continue  # c.jr and c.jalr
        writes = quadrant in (1, 2) and funct3 < 5 and (quadrant, funct3) != (2, 1)
        moves = (quadrant, funct3, rd) == (1, 3, 2)  # c.addi16sp: by little
        if writes and rd in POINTERS and not (moves and rng.randrange(2)):
            continue
        if quadrant == 1 and funct3 == 4 and 8 + (rd & 7) in POINTERS:
            continue
        if quadrant == 0 and funct3:
            value = value & ~(7 << 7) | (rng.choice((8, 9)) - 8) << 7
        if quadrant == 0 and funct3 < 4 and funct3 != 1 and 8 + (value >> 2 & 7) in POINTERS:
            continue
        return value


def noise(rng: Random, isa: Isa, index: int) -> Record:
    """Words that may be anything but jumps, SYSTEM, and what would spoil a pointer."""
    asm = Assembler(isa)
    known = [e for e in table(isa).values() if e.kind not in (Kind.SYSTEM, Kind.BRANCH, Kind.JUMP)]
    while len(asm.code) < 4 * 16:
        if rng.randrange(3) == 0:
            asm.word(half(rng, isa))
            continue
        value = rng.getrandbits(32) | 3
        if rng.randrange(2):  # nearly an instruction
            e = rng.choice(known)
            value = value & ~e.mask | e.match
            if rng.randrange(2):
                value ^= 1 << rng.choice([n for n in range(32) if e.mask >> n & 1 and n > 1])
        opcode = value & 0x7F
        if opcode in (0x63, 0x67, 0x6F, 0x73, 0x17, 0x37) or value & 3 != 3:
            continue
        if opcode == 0x2F and value >> 27 in (2, 3):
            continue  # LR and SC
        if value >> 7 & 31 in POINTERS and opcode not in (0x23, 0x27):
            continue
        if opcode in (0x03, 0x07, 0x23, 0x27, 0x2F):
            value = value & ~(31 << 15) | rng.choice(POINTERS) << 15
        asm.word(value)
    return Record(bytes(asm.code), registers(rng, isa, index), data=rng.randbytes(8192))
