"""C: 16-bit instructions, expanded to the 32-bit ones they stand for (chapter 26).

Reserved encodings expand to ILLEGAL; hints to what they look like, with rd = x0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.hart.config import Isa

ILLEGAL: Final = 0
"""Not an instruction in the 32-bit table either."""
RA: Final = 1
SP: Final = 2

LOAD, LOAD_FP, OP_IMM, OP_IMM_32, STORE, STORE_FP, OP, LUI, OP_32, BRANCH, JALR, JAL = (
    0x03, 0x07, 0x13, 0x1B, 0x23, 0x27, 0x33, 0x37, 0x3B, 0x63, 0x67, 0x6F,
)  # fmt: skip
EBREAK: Final = 0x00100073


def bits(half: int, *fields: tuple[int, int, int]) -> int:
    """Of each field (lowest bit in half, width, its place in the value): the value."""
    return sum([(half >> low & (1 << width) - 1) << place for low, width, place in fields])


def signed(value: int, width: int) -> int:
    return (value ^ 1 << width - 1) - (1 << width - 1)


def i_type(opcode: int, funct3: int, rd: int, rs1: int, imm: int) -> int:
    return (imm & 0xFFF) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def s_type(opcode: int, funct3: int, rs2: int, rs1: int, imm: int) -> int:
    return imm >> 5 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (imm & 31) << 7 | opcode


def r_type(opcode: int, funct3: int, rd: int, rs1: int, rs2: int, funct7: int = 0) -> int:
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode


def rd_of(half: int) -> int:
    return half >> 7 & 31


def rs2_of(half: int) -> int:
    return half >> 2 & 31


def low_of(half: int) -> int:
    """rd' or rs2': x8 to x15."""
    return 8 + (half >> 2 & 7)


def high_of(half: int) -> int:
    """rs1' or rd'."""
    return 8 + (half >> 7 & 7)


def imm6(half: int) -> int:
    return signed(bits(half, (12, 1, 5), (2, 5, 0)), 6)


def offset4(half: int) -> int:
    """Of c.lw and c.sw."""
    return bits(half, (10, 3, 3), (6, 1, 2), (5, 1, 6))


def offset8(half: int) -> int:
    """Of c.ld and c.sd."""
    return bits(half, (10, 3, 3), (5, 2, 6))


def sp_load4(half: int) -> int:
    return bits(half, (12, 1, 5), (4, 3, 2), (2, 2, 6))


def sp_load8(half: int) -> int:
    return bits(half, (12, 1, 5), (5, 2, 3), (2, 3, 6))


def sp_store4(half: int) -> int:
    return bits(half, (9, 4, 2), (7, 2, 6))


def sp_store8(half: int) -> int:
    return bits(half, (10, 3, 3), (7, 3, 6))


def addi4spn(half: int, _xlen: int) -> int:
    imm = bits(half, (11, 2, 4), (7, 4, 6), (6, 1, 2), (5, 1, 3))
    return i_type(OP_IMM, 0, low_of(half), SP, imm) if imm else ILLEGAL


def fld(half: int, _xlen: int) -> int:
    return i_type(LOAD_FP, 3, low_of(half), high_of(half), offset8(half))


def lw(half: int, _xlen: int) -> int:
    return i_type(LOAD, 2, low_of(half), high_of(half), offset4(half))


def flw_or_ld(half: int, xlen: int) -> int:
    if xlen == 32:
        return i_type(LOAD_FP, 2, low_of(half), high_of(half), offset4(half))
    return i_type(LOAD, 3, low_of(half), high_of(half), offset8(half))


def fsd(half: int, _xlen: int) -> int:
    return s_type(STORE_FP, 3, low_of(half), high_of(half), offset8(half))


def sw(half: int, _xlen: int) -> int:
    return s_type(STORE, 2, low_of(half), high_of(half), offset4(half))


def fsw_or_sd(half: int, xlen: int) -> int:
    if xlen == 32:
        return s_type(STORE_FP, 2, low_of(half), high_of(half), offset4(half))
    return s_type(STORE, 3, low_of(half), high_of(half), offset8(half))


def addi(half: int, _xlen: int) -> int:
    return i_type(OP_IMM, 0, rd_of(half), rd_of(half), imm6(half))


def jal_or_addiw(half: int, xlen: int) -> int:
    if xlen == 32:
        return jump(half, RA)
    rd = rd_of(half)
    return i_type(OP_IMM_32, 0, rd, rd, imm6(half)) if rd else ILLEGAL


def li(half: int, _xlen: int) -> int:
    return i_type(OP_IMM, 0, rd_of(half), 0, imm6(half))


def lui_or_addi16sp(half: int, _xlen: int) -> int:
    if imm6(half) == 0:
        return ILLEGAL
    if rd_of(half) == SP:
        imm = bits(half, (12, 1, 9), (6, 1, 4), (5, 1, 6), (3, 2, 7), (2, 1, 5))
        return i_type(OP_IMM, 0, SP, SP, signed(imm, 10))
    return (imm6(half) & 0xFFFFF) << 12 | rd_of(half) << 7 | LUI


def arithmetic(half: int, xlen: int) -> int:
    rd = high_of(half)
    shamt = bits(half, (12, 1, 5), (2, 5, 0))
    match half >> 10 & 3:
        case 0 | 1 as right if shamt < xlen:
            return i_type(OP_IMM, 5, rd, rd, right << 10 | shamt)
        case 2:
            return i_type(OP_IMM, 7, rd, rd, imm6(half))
        case 3:
            return register(half, xlen)
    return ILLEGAL


def register(half: int, xlen: int) -> int:
    """sub xor or and, subw addw."""
    rd, rs2 = high_of(half), low_of(half)
    if half >> 12 & 1 == 0:
        funct3, funct7 = ((0, 32), (4, 0), (6, 0), (7, 0))[half >> 5 & 3]
        return r_type(OP, funct3, rd, rd, rs2, funct7)
    if xlen == 32 or half >> 6 & 1:
        return ILLEGAL
    return r_type(OP_32, 0, rd, rd, rs2, 0 if half >> 5 & 1 else 32)


def jump(half: int, link: int) -> int:
    imm = bits(
        half, (12, 1, 11), (11, 1, 4), (9, 2, 8), (8, 1, 10), (7, 1, 6), (6, 1, 7), (3, 3, 1),
        (2, 1, 5),
    )  # fmt: skip
    sign = imm >> 11
    return sign << 31 | (imm & 0x7FE) << 20 | sign << 20 | sign * 0xFF << 12 | link << 7 | JAL


def j(half: int, _xlen: int) -> int:
    return jump(half, 0)


def branch(half: int, funct3: int) -> int:
    imm = bits(half, (12, 1, 8), (10, 2, 3), (5, 2, 6), (3, 2, 1), (2, 1, 5))
    sign = imm >> 8
    high = sign << 6 | (sign * 7) << 3 | imm >> 5 & 7
    word = high << 25 | high_of(half) << 15 | funct3 << 12 | BRANCH
    return word | (imm & 0x1E) << 7 | sign << 7


def beqz(half: int, _xlen: int) -> int:
    return branch(half, 0)


def bnez(half: int, _xlen: int) -> int:
    return branch(half, 1)


def slli(half: int, xlen: int) -> int:
    shamt = bits(half, (12, 1, 5), (2, 5, 0))
    return i_type(OP_IMM, 1, rd_of(half), rd_of(half), shamt) if shamt < xlen else ILLEGAL


def fldsp(half: int, _xlen: int) -> int:
    return i_type(LOAD_FP, 3, rd_of(half), SP, sp_load8(half))


def lwsp(half: int, _xlen: int) -> int:
    return i_type(LOAD, 2, rd_of(half), SP, sp_load4(half)) if rd_of(half) else ILLEGAL


def flwsp_or_ldsp(half: int, xlen: int) -> int:
    if xlen == 32:
        return i_type(LOAD_FP, 2, rd_of(half), SP, sp_load4(half))
    return i_type(LOAD, 3, rd_of(half), SP, sp_load8(half)) if rd_of(half) else ILLEGAL


def move(half: int, _xlen: int) -> int:
    """c.jr c.mv c.ebreak c.jalr c.add."""
    rd, rs2, linked = rd_of(half), rs2_of(half), half >> 12 & 1
    if rs2:
        return r_type(OP, 0, rd, rd if linked else 0, rs2)
    if rd:
        return i_type(JALR, 0, RA if linked else 0, rd, 0)
    return EBREAK if linked else ILLEGAL


def fsdsp(half: int, _xlen: int) -> int:
    return s_type(STORE_FP, 3, rs2_of(half), SP, sp_store8(half))


def swsp(half: int, _xlen: int) -> int:
    return s_type(STORE, 2, rs2_of(half), SP, sp_store4(half))


def fswsp_or_sdsp(half: int, xlen: int) -> int:
    if xlen == 32:
        return s_type(STORE_FP, 2, rs2_of(half), SP, sp_store4(half))
    return s_type(STORE, 3, rs2_of(half), SP, sp_store8(half))


def reserved(_half: int, _xlen: int) -> int:
    return ILLEGAL


QUADRANTS: Final[tuple[tuple[Callable[[int, int], int], ...], ...]] = (
    (addi4spn, fld, lw, flw_or_ld, reserved, fsd, sw, fsw_or_sd),
    (addi, jal_or_addiw, li, lui_or_addi16sp, arithmetic, j, beqz, bnez),
    (slli, fldsp, lwsp, flwsp_or_ldsp, move, fsdsp, swsp, fswsp_or_sdsp),
)
"""By the two lowest bits, then by the three highest (table 26.1)."""


def expand(half: int, isa: Isa) -> int:
    return QUADRANTS[half & 3][half >> 13](half, isa.xlen)
