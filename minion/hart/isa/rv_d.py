"""D: binary64 (unprivileged architecture, chapter 21).  Its arithmetic is in floating.py."""

from __future__ import annotations

from minion.hart.fields import FS
from minion.hart.isa import Semantics, floating, table
from minion.hart.isa.floating import BOX, DYN
from minion.hart.softfloat import conversion, host_conversion
from minion.hart.softfloat.format import F32, F64, Unary
from minion.hart.state import Hart

SIGN = F64.sign
MAGNITUDE = F64.magnitude


def double(xlen: int) -> dict[str, Semantics]:
    ops = floating.doubles()
    found = floating.computing(ops) | floating.comparing(ops) | signs()
    found |= floating.to_integers(xlen, to_integer)
    from_integers = floating.from_integers(xlen, from_integer())
    return (
        {f"{name}.d": function for name, function in found.items()}
        | {f"fcvt.d.{name}": function for name, function in from_integers.items()}
        | moves(xlen)
        | formats()
    )


def to_integer(low: int, high: int) -> Unary:
    slow = floating.unary(conversion.to_integer(F64, low, high))
    return floating.quick(lambda f: host_conversion.double_to_integer(f, low, high), slow)


def from_integer() -> Unary:
    slow = floating.integral(conversion.from_integer(F64))
    return floating.quick(host_conversion.double_from_integer, slow)


def signs() -> dict[str, Semantics]:
    """Sign injection: no flags, and NaNs like any other number."""

    def fsgnj(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.f[rd] = h.f[rs1] & MAGNITUDE | h.f[rs2] & SIGN
        h.mstatus |= FS

    def fsgnjn(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.f[rd] = h.f[rs1] & MAGNITUDE | ~h.f[rs2] & SIGN
        h.mstatus |= FS

    def fsgnjx(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.f[rd] = h.f[rs1] ^ h.f[rs2] & SIGN
        h.mstatus |= FS

    return table(fsgnj, fsgnjn, fsgnjx)


def moves(xlen: int) -> dict[str, Semantics]:
    mask = (1 << xlen) - 1

    def fld(h: Hart, rd: int, rs1: int, imm: int) -> None:
        h.f[rd] = h.load(h.x[rs1] + imm & mask, 8)
        h.mstatus |= FS

    def fsd(h: Hart, rs2: int, rs1: int, imm: int) -> None:
        h.store(h.x[rs1] + imm & mask, 8, h.f[rs2])

    def fmv_x_d(h: Hart, rd: int, rs1: int) -> None:
        h.x[rd] = h.f[rs1]

    def fmv_d_x(h: Hart, rd: int, rs1: int) -> None:
        h.f[rd] = h.x[rs1]
        h.mstatus |= FS

    return table(fld, fsd, fmv_x_d, fmv_d_x) if xlen == 64 else table(fld, fsd)


def to_single() -> Unary:
    slow = floating.unary(conversion.between(F64, F32), result_box=BOX)
    return floating.quick(host_conversion.narrowing, slow)


def to_double() -> Unary:
    slow = floating.unary(conversion.between(F32, F64), BOX)
    return floating.quick(host_conversion.widening, slow)


def formats() -> dict[str, Semantics]:
    narrow, widen = to_single(), to_double()

    def fcvt_s_d(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.f[rd] = narrow(h, h.f[rs1], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fcvt_d_s(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.f[rd] = widen(h, h.f[rs1], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    return table(fcvt_s_d, fcvt_d_s)
