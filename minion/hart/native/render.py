"""Expressions to C, exact for the Python ints that they describe.

Every expression has bounds, so its C type is known: the narrowest of four that holds them.  What is
computed modulo 2**64 anyway (under a mask, or because the result fits) is computed in 64 bits.
"""

from __future__ import annotations

from typing import Final

from minion.hart.translate.node import Expr

TYPES: Final = {
    "uint64_t": (0, (1 << 64) - 1),
    "int64_t": (-(1 << 63), (1 << 63) - 1),
    "u128": (0, (1 << 128) - 1),
    "i128": (-(1 << 127), (1 << 127) - 1),
}
MODULAR: Final = ("+", "-", "*", "&", "|", "^", "<<", "neg", "~", "signed", "extend")
"""The low 64 bits of a result need only those of the operands (of a shift: see low)."""
COMPARISONS: Final = ("<", "<=", "==", "!=", ">", ">=")
WORD: Final = 1 << 31
DOUBLE: Final = 1 << 63


class TooWide(Exception):
    """No C type holds a value."""


def holding(low: int, high: int) -> str:
    """The type for values from low to high.  Raises TooWide."""
    for name, (least, most) in TYPES.items():
        if least <= low and high <= most:
            return name
    raise TooWide(f"{low} to {high}")


def type_of(e: Expr) -> str:
    return holding(e.lo, e.hi)


def common(*operands: Expr) -> str:
    """A type that holds each of them."""
    return holding(min(e.lo for e in operands), max(e.hi for e in operands))


def literal(value: int) -> str:
    if value >> 64 > 0:
        return f"((u128){literal(value >> 64)} << 64 | {literal(value & DOUBLE * 2 - 1)})"
    if value >= 0:
        return f"UINT64_C({value:#x})"
    if value < -DOUBLE:
        raise TooWide(str(value))
    return f"((int64_t)UINT64_C({value & DOUBLE * 2 - 1:#x}))"


def value(e: Expr) -> str:
    """C of the type type_of(e)."""
    kind = type_of(e)
    if e.op == "const":
        return literal(e.lo)
    if e.op == "name":
        return e.text
    if e.op in MODULAR and kind in ("uint64_t", "int64_t") and narrow(e):
        return f"({kind}){low(e)}"
    return f"(({kind}){wide(e, kind)})"


def wide(e: Expr, kind: str) -> str:
    """An operation, in a type that holds the operands and the result."""
    match e.op:
        case "if":
            condition, yes, no = [value(arg) for arg in e.args]
            return f"({condition} ? ({kind}){yes} : ({kind}){no})"
        case "not":
            return f"!{value(e.args[0])}"
        case "between":
            middle, lowest, end = e.args
            inside = [Expr(">=", (middle, lowest), 0, 1), Expr("<", (middle, end), 0, 1)]
            return f"({value(inside[0])} && {value(inside[1])})"
        case "less":
            x, y = [flipped(arg, e.args[2].lo) for arg in e.args[:2]]
            return f"({x} < {y})"
        case "abs":
            both = common(e, e.args[0])
            inner = f"({both}){value(e.args[0])}"
            return f"({inner} < 0 ? -({inner}) : {inner})"
        case "neg" | "~":
            sign = "-" if e.op == "neg" else "~"
            return f"({sign}({common(e, e.args[0])}){value(e.args[0])})"
        case ">>":
            if e.args[1].lo < 0 or e.args[1].hi > (127 if "128" in type_of(e.args[0]) else 63):
                raise TooWide("a shift")
            return f"({value(e.args[0])} >> {value(e.args[1])})"
        case "//" | "%":
            return quotient(e)
        case op if op in COMPARISONS:
            both = common(*e.args)
        case "+" | "-" | "*" | "&" | "|" | "^":
            both = common(e, *e.args)
        case "<<" if e.args[1].lo >= 0:
            both = common(e, e.args[0])
        case _:
            raise TooWide(e.op)
    a, b = [value(arg) for arg in e.args]
    return f"(({both}){a} {e.op} ({both}){b})"


def quotient(e: Expr) -> str:
    """Python rounds towards minus infinity, C towards zero: core.h has what is between."""
    if all(arg.lo >= 0 for arg in e.args):
        both = common(*e.args)
        a, b = [value(arg) for arg in e.args]
        return f"(({both}){a} {e.op[0]} ({both}){b})"
    name = "floor_quotient" if e.op == "//" else "floor_remainder"
    return f"{name}({value(e.args[0])}, {value(e.args[1])})"


def flipped(e: Expr, sign: int) -> str:
    """What compares as an unsigned value does whose sign bit is flipped."""
    if sign == DOUBLE:
        return f"(int64_t){low(e)}"
    if sign == WORD:
        return f"(int32_t){low(e)}"
    raise TooWide(f"a sign of {sign:#x}")


def narrow(e: Expr) -> bool:
    """Whether low() can do without wide values."""
    if e.op == "<<":
        return e.args[1].lo >= 0 and e.args[1].hi < 64
    return True


def low(e: Expr) -> str:
    """The low 64 bits of a value, as uint64_t."""
    if e.op == "const":
        return literal(e.lo & DOUBLE * 2 - 1)
    if e.op == "if":
        condition, yes, no = value(e.args[0]), low(e.args[1]), low(e.args[2])
        return f"({condition} ? {yes} : {no})"
    if e.op not in MODULAR or not narrow(e):
        return f"(uint64_t){value(e)}"
    if e.op in ("neg", "~"):
        return f"({'-' if e.op == 'neg' else '~'}{low(e.args[0])})"
    if e.op == "signed":
        return f"(uint64_t){signed(e.args[0], e.args[1].lo)}"
    if e.op == "extend":
        inner, sign, shift, mask = e.args
        return f"((uint64_t)({signed(inner, sign.lo)} >> {shift.lo}) & {literal(mask.lo)})"
    a, b = [low(arg) for arg in e.args]
    return f"({a} {e.op} {b})"


def signed(e: Expr, sign: int) -> str:
    """(e ^ sign) - sign for 0 <= e < 2 * sign, as int64_t."""
    casts = {8: 1 << 7, 16: 1 << 15, 32: WORD, 64: DOUBLE}
    for bits, power in casts.items():
        if sign == power:
            return f"(int64_t)(int{bits}_t){low(e)}"
    raise TooWide(f"a sign of {sign:#x}")
