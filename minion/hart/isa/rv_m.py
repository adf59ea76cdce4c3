"""M: multiplication and division (unprivileged architecture, chapter 12).

Python divides towards minus infinity, RISC-V towards zero: quotients are those of magnitudes.
"""

from __future__ import annotations

from minion.hart.isa import Semantics, table
from minion.hart.state import Hart

W = 0xFFFF_FFFF
SIGN_W = 0x8000_0000


def multiply(xlen: int) -> dict[str, Semantics]:
    functions = full(xlen)
    return functions | words(xlen) if xlen == 64 else functions


def full(xlen: int) -> dict[str, Semantics]:
    mask = (1 << xlen) - 1
    sign = 1 << xlen - 1

    def mul(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] * h.x[rs2] & mask

    def mulh(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = ((h.x[rs1] ^ sign) - sign) * ((h.x[rs2] ^ sign) - sign) >> xlen & mask

    def mulhsu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = ((h.x[rs1] ^ sign) - sign) * h.x[rs2] >> xlen & mask

    def mulhu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = h.x[rs1] * h.x[rs2] >> xlen

    def div(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = (h.x[rs1] ^ sign) - sign
        b = (h.x[rs2] ^ sign) - sign
        h.x[rd] = (-1 if b == 0 else a // b if a ^ b >= 0 else -(-a // b)) & mask

    def divu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        b = h.x[rs2]
        h.x[rd] = h.x[rs1] // b if b else mask

    def rem(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = (h.x[rs1] ^ sign) - sign
        b = abs((h.x[rs2] ^ sign) - sign)
        h.x[rd] = (a if b == 0 else a % b if a >= 0 else -(-a % b)) & mask

    def remu(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        b = h.x[rs2]
        h.x[rd] = h.x[rs1] % b if b else h.x[rs1]

    return table(mul, mulh, mulhsu, mulhu, div, divu, rem, remu)


def words(xlen: int) -> dict[str, Semantics]:
    mask = (1 << xlen) - 1

    def mulw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = (h.x[rs1] * h.x[rs2] & W ^ SIGN_W) - SIGN_W & mask

    def divw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = (h.x[rs1] & W ^ SIGN_W) - SIGN_W
        b = (h.x[rs2] & W ^ SIGN_W) - SIGN_W
        c = (-1 if b == 0 else a // b if a ^ b >= 0 else -(-a // b)) & W
        h.x[rd] = (c ^ SIGN_W) - SIGN_W & mask

    def divuw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        b = h.x[rs2] & W
        c = (h.x[rs1] & W) // b if b else W
        h.x[rd] = (c ^ SIGN_W) - SIGN_W & mask

    def remw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = (h.x[rs1] & W ^ SIGN_W) - SIGN_W
        b = abs((h.x[rs2] & W ^ SIGN_W) - SIGN_W)
        h.x[rd] = (a if b == 0 else a % b if a >= 0 else -(-a % b)) & mask

    def remuw(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = h.x[rs1] & W
        b = h.x[rs2] & W
        c = a % b if b else a
        h.x[rd] = (c ^ SIGN_W) - SIGN_W & mask

    return table(mulw, divw, divuw, remw, remuw)
