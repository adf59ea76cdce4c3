"""What F and D have in common: operations on f registers, and the semantics over them.

Theory of operation.  An f register has 64 bits.  A single is NaN-boxed in it, its upper half ones;
what is not boxed reads as the canonical NaN (D extension, section "NaN Boxing").  `doubles()` and
`singles()` are sets of operations on whole registers, so that one semantics serves both.  Each is
softfloat's function on integers behind a guard, which refuses reserved rounding modes and takes
singles out of their boxes and puts them in again, and before that the host's quick one.  For
doubles, the box is 0.

rm = 7 is the mode in frm.  Both can hold reserved modes, which make an illegal instruction even of
one that rounds nothing (F extension, section "Floating-Point Control and Status Register").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from minion.hart.fields import FS, Cause
from minion.hart.isa import Semantics, table
from minion.hart.softfloat import addition, comparison, division, host, host_single, multiplication
from minion.hart.softfloat.format import F32, F64, RMM, Binary, Compare, Environment, Ternary, Unary
from minion.hart.state import Hart
from minion.hart.trap import Trap

DYN: Final = 7
BOX: Final = host_single.BOX
NAN: Final = F32.default_nan
"""What is in no box."""
W: Final = 0xFFFF_FFFF
SIGN_W: Final = 0x8000_0000
QUICK: Final = host.sound()

Operation = TypeVar("Operation", Unary, Binary, Ternary)


class Operations(NamedTuple):
    """Of NaN-boxed operands to NaN-boxed results; `sign` is the sign bit."""

    add: Binary
    sub: Binary
    mul: Binary
    div: Binary
    sqrt: Unary
    fma: Ternary
    eq: Compare
    lt: Compare
    le: Compare
    min: Compare
    max: Compare
    classify: Callable[[int], int]
    sign: int


def doubles() -> Operations:
    return Operations(
        quick(host.addition, binary(addition.addition(F64))),
        quick(host.subtraction, binary(addition.subtraction(F64))),
        quick(host.multiplication, binary(multiplication.multiplication(F64))),
        quick(host.division, binary(division.division(F64))),
        quick(host.square_root, unary(division.square_root(F64))),
        quick(host.fused, ternary(multiplication.fused(F64))),
        comparison.equal(F64),
        comparison.less(F64),
        comparison.less_equal(F64),
        comparison.minimum(F64),
        comparison.maximum(F64),
        comparison.classify(F64),
        F64.sign,
    )


def singles() -> Operations:
    classify = comparison.classify(F32)
    return Operations(
        quick(host_single.addition, binary(addition.addition(F32), BOX)),
        quick(host_single.subtraction, binary(addition.subtraction(F32), BOX)),
        quick(host_single.multiplication, binary(multiplication.multiplication(F32), BOX)),
        quick(host_single.division, binary(division.division(F32), BOX)),
        quick(host_single.square_root, unary(division.square_root(F32), BOX, BOX)),
        quick(host_single.fused, ternary(multiplication.fused(F32), BOX)),
        compare(comparison.equal(F32), 0),
        compare(comparison.less(F32), 0),
        compare(comparison.less_equal(F32), 0),
        compare(comparison.minimum(F32), BOX),
        compare(comparison.maximum(F32), BOX),
        lambda a: classify(a - BOX if a >= BOX else NAN),
        F32.sign,
    )


def quick(host_operation: Callable[[Operation], Operation], slow: Operation) -> Operation:
    return host_operation(slow) if QUICK else slow


def unary(operation: Unary, box: int = 0, result_box: int = 0) -> Unary:
    """A guard.  `box` is that of the operand, 0 if it has none."""

    def guarded(env: Environment, a: int, rm: int) -> int:
        if rm > RMM:
            raise Trap(Cause.ILLEGAL, 0)
        return operation(env, a - box if a >= box else NAN, rm) + result_box

    return guarded


def integral(operation: Unary, result_box: int = 0) -> Unary:
    """A guard of a conversion from integers."""

    def guarded(env: Environment, value: int, rm: int) -> int:
        if rm > RMM:
            raise Trap(Cause.ILLEGAL, 0)
        return operation(env, value, rm) + result_box

    return guarded


def binary(operation: Binary, box: int = 0) -> Binary:
    def guarded(env: Environment, a: int, b: int, rm: int) -> int:
        if rm > RMM:
            raise Trap(Cause.ILLEGAL, 0)
        a = a - box if a >= box else NAN
        b = b - box if b >= box else NAN
        return operation(env, a, b, rm) + box

    return guarded


def ternary(operation: Ternary, box: int = 0) -> Ternary:
    def guarded(env: Environment, a: int, b: int, c: int, rm: int) -> int:
        if rm > RMM:
            raise Trap(Cause.ILLEGAL, 0)
        a = a - box if a >= box else NAN
        b = b - box if b >= box else NAN
        c = c - box if c >= box else NAN
        return operation(env, a, b, c, rm) + box

    return guarded


def compare(operation: Compare, result_box: int) -> Compare:
    """Of singles."""

    def unboxed(env: Environment, a: int, b: int) -> int:
        a = a - BOX if a >= BOX else NAN
        b = b - BOX if b >= BOX else NAN
        return operation(env, a, b) + result_box

    return unboxed


def computing(ops: Operations) -> dict[str, Semantics]:
    """What rounds, but for conversions: "fadd", without the suffix of the format."""
    add, sub, mul, div, sqrt, fma, sign = (
        ops.add, ops.sub, ops.mul, ops.div, ops.sqrt, ops.fma, ops.sign,
    )  # fmt: skip

    def fadd(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
        h.f[rd] = add(h, h.f[rs1], h.f[rs2], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fsub(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
        h.f[rd] = sub(h, h.f[rs1], h.f[rs2], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fmul(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
        h.f[rd] = mul(h, h.f[rs1], h.f[rs2], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fdiv(h: Hart, rd: int, rs1: int, rs2: int, rm: int) -> None:
        h.f[rd] = div(h, h.f[rs1], h.f[rs2], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fsqrt(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.f[rd] = sqrt(h, h.f[rs1], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fmadd(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
        h.f[rd] = fma(h, h.f[rs1], h.f[rs2], h.f[rs3], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fmsub(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
        h.f[rd] = fma(h, h.f[rs1], h.f[rs2], h.f[rs3] ^ sign, h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fnmsub(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
        h.f[rd] = fma(h, h.f[rs1] ^ sign, h.f[rs2], h.f[rs3], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def fnmadd(h: Hart, rd: int, rs1: int, rs2: int, rs3: int, rm: int) -> None:
        h.f[rd] = fma(h, h.f[rs1] ^ sign, h.f[rs2], h.f[rs3] ^ sign, h.frm if rm == DYN else rm)
        h.mstatus |= FS

    return table(fadd, fsub, fmul, fdiv, fsqrt, fmadd, fmsub, fnmsub, fnmadd)


def comparing(ops: Operations) -> dict[str, Semantics]:
    """Without the suffix of the format.  Raising a flag makes FS dirty; so, here, does not."""
    eq, lt, le, least, greatest, classify = ops.eq, ops.lt, ops.le, ops.min, ops.max, ops.classify

    def feq(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = eq(h, h.f[rs1], h.f[rs2])
        h.mstatus |= FS

    def flt(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = lt(h, h.f[rs1], h.f[rs2])
        h.mstatus |= FS

    def fle(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.x[rd] = le(h, h.f[rs1], h.f[rs2])
        h.mstatus |= FS

    def fmin(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.f[rd] = least(h, h.f[rs1], h.f[rs2])
        h.mstatus |= FS

    def fmax(h: Hart, rd: int, rs1: int, rs2: int) -> None:
        h.f[rd] = greatest(h, h.f[rs1], h.f[rs2])
        h.mstatus |= FS

    def fclass(h: Hart, rd: int, rs1: int) -> None:
        h.x[rd] = classify(h.f[rs1])

    return table(feq, flt, fle, fmin, fmax, fclass)


def to_integers(xlen: int, convert: Callable[[int, int], Unary]) -> dict[str, Semantics]:
    """ "fcvt.w": without the suffix of the format.  convert(low, high) makes the conversion."""
    mask = (1 << xlen) - 1
    to_w, to_wu = convert(-(1 << 31), (1 << 31) - 1), convert(0, W)
    to_l, to_lu = convert(-(1 << 63), (1 << 63) - 1), convert(0, (1 << 64) - 1)

    def fcvt_w(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.x[rd] = to_w(h, h.f[rs1], h.frm if rm == DYN else rm) & mask
        h.mstatus |= FS

    def fcvt_wu(h: Hart, rd: int, rs1: int, rm: int) -> None:
        value = to_wu(h, h.f[rs1], h.frm if rm == DYN else rm)
        h.x[rd] = (value ^ SIGN_W) - SIGN_W & mask
        h.mstatus |= FS

    def fcvt_l(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.x[rd] = to_l(h, h.f[rs1], h.frm if rm == DYN else rm) & mask
        h.mstatus |= FS

    def fcvt_lu(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.x[rd] = to_lu(h, h.f[rs1], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    if xlen == 32:
        return table(fcvt_w, fcvt_wu)
    return table(fcvt_w, fcvt_wu, fcvt_l, fcvt_lu)


def from_integers(xlen: int, convert: Unary) -> dict[str, Semantics]:
    """By the letters of the integer."""
    sign = 1 << xlen - 1

    def from_w(h: Hart, rd: int, rs1: int, rm: int) -> None:
        value = (h.x[rs1] & W ^ SIGN_W) - SIGN_W
        h.f[rd] = convert(h, value, h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def from_wu(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.f[rd] = convert(h, h.x[rs1] & W, h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def from_l(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.f[rd] = convert(h, (h.x[rs1] ^ sign) - sign, h.frm if rm == DYN else rm)
        h.mstatus |= FS

    def from_lu(h: Hart, rd: int, rs1: int, rm: int) -> None:
        h.f[rd] = convert(h, h.x[rs1], h.frm if rm == DYN else rm)
        h.mstatus |= FS

    words: dict[str, Semantics] = {"w": from_w, "wu": from_wu}
    return words | {"l": from_l, "lu": from_lu} if xlen == 64 else words
