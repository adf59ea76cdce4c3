"""F: binary32 (unprivileged architecture, chapter 20).  Its arithmetic is in floating.py."""

from __future__ import annotations

from minion.hart.fields import FS
from minion.hart.isa import Semantics, floating, table
from minion.hart.isa.floating import BOX, NAN, SIGN_W, W
from minion.hart.softfloat import conversion, host_conversion
from minion.hart.softfloat.format import F32, Unary
from minion.hart.state import Hart


def single(xlen: int) -> dict[str, Semantics]:
    ops = floating.singles()
    found = floating.computing(ops) | floating.comparing(ops) | signs()
    found |= floating.to_integers(xlen, to_integer)
    from_integers = floating.from_integers(xlen, from_integer())
    return (
        {f"{name}.s": function for name, function in found.items()}
        | {f"fcvt.s.{name}": function for name, function in from_integers.items()}
        | moves(xlen)
    )


def to_integer(low: int, high: int) -> Unary:
    slow = floating.unary(conversion.to_integer(F32, low, high), BOX)
    return floating.quick(lambda f: host_conversion.single_to_integer(f, low, high), slow)


def from_integer() -> Unary:
    slow = floating.integral(conversion.from_integer(F32), BOX)
    return floating.quick(host_conversion.single_from_integer, slow)


def signs() -> dict[str, Semantics]:
    """Sign injection: no flags, and NaNs like any other number."""

    def fsgnj(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = h.f[rs1] if h.f[rs1] >= BOX else BOX | NAN
        b = h.f[rs2] if h.f[rs2] >= BOX else BOX | NAN
        h.f[rd] = a & ~SIGN_W | b & SIGN_W
        h.mstatus |= FS

    def fsgnjn(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = h.f[rs1] if h.f[rs1] >= BOX else BOX | NAN
        b = h.f[rs2] if h.f[rs2] >= BOX else BOX | NAN
        h.f[rd] = a & ~SIGN_W | ~b & SIGN_W
        h.mstatus |= FS

    def fsgnjx(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        a = h.f[rs1] if h.f[rs1] >= BOX else BOX | NAN
        b = h.f[rs2] if h.f[rs2] >= BOX else BOX | NAN
        h.f[rd] = a ^ b & SIGN_W
        h.mstatus |= FS

    return table(fsgnj, fsgnjn, fsgnjx)


def moves(xlen: int) -> dict[str, Semantics]:
    """Bits as they are, in boxes or not."""
    mask = (1 << xlen) - 1

    def flw(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.f[rd] = BOX | h.load(h.x[rs1] + imm & mask, 4)
        h.mstatus |= FS

    def fsw(h: Hart, rs2: int, rs1: int, imm: int) -> None:
        h.store(h.x[rs1] + imm & mask, 4, h.f[rs2] & W)

    def fmv_x_w(h: Hart, rd: int, rs1: int) -> None:
        h.x[rd] = (h.f[rs1] & W ^ SIGN_W) - SIGN_W & mask

    def fmv_w_x(h: Hart, rd: int, rs1: int) -> None:
        h.f[rd] = BOX | h.x[rs1] & W
        h.mstatus |= FS

    return table(flw, fsw, fmv_x_w, fmv_w_x)
