"""RV32I and RV64I (unprivileged architecture, chapters 2 and 4).

Operands that decode has resolved: immediates are signed, targets, links and upper immediates are
absolute and masked, rd is 32 (nobody reads it) for x0.
"""

from __future__ import annotations

from minion.hart.isa import Semantics, table
from minion.hart.state import Hart

W = 0xFFFF_FFFF
SIGN_W = 0x8000_0000


def base(xlen: int) -> dict[str, Semantics]:
    functions = arithmetic(xlen) | jumps(xlen) | memory(xlen)
    return functions | words(xlen) if xlen == 64 else functions


def arithmetic(xlen: int) -> dict[str, Semantics]:
    mask = (1 << xlen) - 1
    sign = 1 << xlen - 1
    shift = xlen - 1

    def lui(h: Hart, rd: int, value: int) -> None:
        h.x[rd] = value

    def auipc(h: Hart, rd: int, value: int) -> None:
        h.x[rd] = value

    def addi(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = h.x[rs1] + imm & mask

    def slti(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = 1 if (h.x[rs1] ^ sign) - sign < imm else 0

    def sltiu(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = 1 if h.x[rs1] < imm & mask else 0

    def xori(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = (h.x[rs1] ^ imm) & mask

    def ori(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = (h.x[rs1] | imm) & mask

    def andi(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = h.x[rs1] & imm

    def slli(h: Hart, rd: int, rs1: int, shamt: int) -> None:
        h.x[rd] = h.x[rs1] << shamt & mask

    def srli(h: Hart, rd: int, rs1: int, shamt: int) -> None:
        h.x[rd] = h.x[rs1] >> shamt

    def srai(h: Hart, rd: int, rs1: int, shamt: int) -> None:
        h.x[rd] = (h.x[rs1] ^ sign) - sign >> shamt & mask

    def add(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] + h.x[rs2] & mask

    def sub(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] - h.x[rs2] & mask

    def sll(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] << (h.x[rs2] & shift) & mask

    def slt(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = 1 if h.x[rs1] ^ sign < h.x[rs2] ^ sign else 0

    def sltu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = 1 if h.x[rs1] < h.x[rs2] else 0

    def xor(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] ^ h.x[rs2]

    def srl(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] >> (h.x[rs2] & shift)

    def sra(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = (h.x[rs1] ^ sign) - sign >> (h.x[rs2] & shift) & mask

    def or_(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] | h.x[rs2]

    def and_(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] & h.x[rs2]

    def fence(h: Hart) -> None:
        """One hart whose accesses are in order: nothing to do (2.7)."""

    return table(
        lui, auipc, addi, slti, sltiu, xori, ori, andi, slli, srli, srai,
        add, sub, sll, slt, sltu, xor, srl, sra, or_, and_, fence,
    )  # fmt: skip


def jumps(xlen: int) -> dict[str, Semantics]:
    """With C, every target is aligned: bit 0 of an offset is 0 (2.5)."""
    even = (1 << xlen) - 2
    sign = 1 << xlen - 1

    def jal(h: Hart, rd: int, target: int, link: int) -> int:
        h.x[rd] = link
        return target

    def jalr(h: Hart, rd: int, rs1: int, imm: int, link: int) -> int:
        target = h.x[rs1] + imm & even
        h.x[rd] = link
        return target

    def beq(h: Hart, rs1: int, rs2: int, target: int) -> int | None:
        return target if h.x[rs1] == h.x[rs2] else None

    def bne(h: Hart, rs1: int, rs2: int, target: int) -> int | None:
        return target if h.x[rs1] != h.x[rs2] else None

    def blt(h: Hart, rs1: int, rs2: int, target: int) -> int | None:
        return target if h.x[rs1] ^ sign < h.x[rs2] ^ sign else None

    def bge(h: Hart, rs1: int, rs2: int, target: int) -> int | None:
        return target if h.x[rs1] ^ sign >= h.x[rs2] ^ sign else None

    def bltu(h: Hart, rs1: int, rs2: int, target: int) -> int | None:
        return target if h.x[rs1] < h.x[rs2] else None

    def bgeu(h: Hart, rs1: int, rs2: int, target: int) -> int | None:
        return target if h.x[rs1] >= h.x[rs2] else None

    return table(jal, jalr, beq, bne, blt, bge, bltu, bgeu)


def memory(xlen: int) -> dict[str, Semantics]:
    mask = (1 << xlen) - 1

    def lb(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = (h.load(h.x[rs1] + imm & mask, 1) ^ 0x80) - 0x80 & mask

    def lh(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = (h.load(h.x[rs1] + imm & mask, 2) ^ 0x8000) - 0x8000 & mask

    def lw(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = (h.load(h.x[rs1] + imm & mask, 4) ^ SIGN_W) - SIGN_W & mask

    def ld(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = h.load(h.x[rs1] + imm & mask, 8)

    def lbu(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = h.load(h.x[rs1] + imm & mask, 1)

    def lhu(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = h.load(h.x[rs1] + imm & mask, 2)

    def lwu(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = h.load(h.x[rs1] + imm & mask, 4)

    def sb(h: Hart, rs2: int, rs1: int, imm: int) -> None:
        h.store(h.x[rs1] + imm & mask, 1, h.x[rs2] & 0xFF)

    def sh(h: Hart, rs2: int, rs1: int, imm: int) -> None:
        h.store(h.x[rs1] + imm & mask, 2, h.x[rs2] & 0xFFFF)

    def sw(h: Hart, rs2: int, rs1: int, imm: int) -> None:
        h.store(h.x[rs1] + imm & mask, 4, h.x[rs2] & W)

    def sd(h: Hart, rs2: int, rs1: int, imm: int) -> None:
        h.store(h.x[rs1] + imm & mask, 8, h.x[rs2])

    narrow = table(lb, lh, lw, lbu, lhu, sb, sh, sw)
    return narrow | table(ld, lwu, sd) if xlen == 64 else narrow


def words(xlen: int) -> dict[str, Semantics]:
    """The *W instructions of RV64I: 32-bit results, sign-extended (4.2)."""
    mask = (1 << xlen) - 1

    def addiw(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.x[rd] = (h.x[rs1] + imm & W ^ SIGN_W) - SIGN_W & mask

    def slliw(h: Hart, rd: int, rs1: int, shamt: int) -> None:
        h.x[rd] = (h.x[rs1] << shamt & W ^ SIGN_W) - SIGN_W & mask

    def srliw(h: Hart, rd: int, rs1: int, shamt: int) -> None:
        h.x[rd] = ((h.x[rs1] & W) >> shamt ^ SIGN_W) - SIGN_W & mask

    def sraiw(h: Hart, rd: int, rs1: int, shamt: int) -> None:
        h.x[rd] = (h.x[rs1] & W ^ SIGN_W) - SIGN_W >> shamt & mask

    def addw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = (h.x[rs1] + h.x[rs2] & W ^ SIGN_W) - SIGN_W & mask

    def subw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = (h.x[rs1] - h.x[rs2] & W ^ SIGN_W) - SIGN_W & mask

    def sllw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = (h.x[rs1] << (h.x[rs2] & 31) & W ^ SIGN_W) - SIGN_W & mask

    def srlw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = ((h.x[rs1] & W) >> (h.x[rs2] & 31) ^ SIGN_W) - SIGN_W & mask

    def sraw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = (h.x[rs1] & W ^ SIGN_W) - SIGN_W >> (h.x[rs2] & 31) & mask

    return table(addiw, slliw, srliw, sraiw, addw, subw, sllw, srlw, sraw)
