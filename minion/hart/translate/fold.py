"""Constructors of expressions: constants are folded, operations that change nothing dropped.

The names of the rules' parts: masks are 2**n - 1; a sign is 2**n, and a value below 2 * sign read
as two's complement is `(value ^ sign) - sign`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.hart.translate.node import (
    FALSE,
    OPERATORS,
    TRUE,
    UNBOUNDED,
    WIDEST_SHIFT,
    Expr,
    bits,
    const,
    power,
    same,
)

Rule = Callable[[Expr, Expr], Expr]
NEGATED: Final = {"<": ">=", "<=": ">", "==": "!=", "!=": "==", ">": "<=", ">=": "<"}
CONDITIONS: Final = frozenset((*NEGATED, "not", "less", "between"))
MIRRORED: Final = {"<": ">", "<=": ">=", "==": "==", "!=": "!=", ">": "<", ">=": "<="}


def binary(op: str, a: Expr, b: Expr) -> Expr:
    """a op b, for any of OPERATORS."""
    if a.constant and b.constant:
        return const(calculate(op, a.lo, b.lo))
    return compare(op, a, b) if op in NEGATED else RULES[op](a, b)


def calculate(op: str, a: int, b: int) -> int:
    return int(OPERATORS[op](a, b))


def condition(a: Expr) -> Expr:
    """Whether a value is not 0."""
    if a.constant or a.op in CONDITIONS:
        return a
    return binary("!=", a, FALSE)


def add(a: Expr, b: Expr) -> Expr:
    if a.constant:
        a, b = b, a
    if b.constant:
        if b.lo == 0:
            return a
        if a.op == "+" and a.args[1].constant:
            return add(a.args[0], const(a.args[1].lo + b.lo))
        if a.op == "^" and a.args[1].constant and a.args[1].lo == -b.lo:
            sign = -b.lo
            if power(sign) and a.args[0].lo >= 0 and a.args[0].hi < 2 * sign:
                return signed(a.args[0], sign)
    return Expr("+", (a, b), a.lo + b.lo, a.hi + b.hi)


def signed(a: Expr, sign: int) -> Expr:
    """(a ^ sign) - sign, for 0 <= a < 2 * sign."""
    if a.hi < sign:
        return a
    if a.lo >= sign:
        return add(a, const(-2 * sign))
    return Expr("signed", (a, const(sign)), -sign, sign - 1)


def sub(a: Expr, b: Expr) -> Expr:
    if b.constant:
        return add(a, const(-b.lo))
    return Expr("-", (a, b), a.lo - b.hi, a.hi - b.lo)


def mul(a: Expr, b: Expr) -> Expr:
    corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    return Expr("*", (a, b), min(corners), max(corners))


def quotient(a: Expr, b: Expr) -> Expr:
    if a.lo >= 0 and b.lo >= 0:
        return Expr("//", (a, b), 0, a.hi)
    widest = max(abs(a.lo), abs(a.hi))
    return Expr("//", (a, b), -widest, widest)


def remainder(a: Expr, b: Expr) -> Expr:
    if b.lo >= 0:
        return Expr("%", (a, b), 0, max(b.hi - 1, 0))
    return Expr("%", (a, b))


def left(a: Expr, b: Expr) -> Expr:
    if b.constant:
        if b.lo == 0:
            return a
        return Expr("<<", (a, b), a.lo << b.lo, a.hi << b.lo)
    if b.lo >= 0 and b.hi <= WIDEST_SHIFT and a.lo >= 0:
        return Expr("<<", (a, b), 0, a.hi << b.hi)
    return Expr("<<", (a, b))


def right(a: Expr, b: Expr) -> Expr:
    if not b.constant or b.lo < 0:
        return Expr(">>", (a, b), min(a.lo, 0), max(a.hi, 0))
    shift = b.lo
    if shift == 0:
        return a
    if a.op == ">>" and a.args[1].constant:
        return right(a.args[0], const(a.args[1].lo + shift))
    if a.op == "&" and a.args[1].constant and bits(a.args[1].lo) == a.args[1].lo:
        inner, width = a.args[0], a.args[1].lo.bit_length()
        if inner.op == "<<" and inner.args[1].constant and inner.args[1].lo <= width:
            kept = conjunction(inner.args[0], const((1 << width - inner.args[1].lo) - 1))
            back = inner.args[1].lo - shift
            return left(kept, const(back)) if back >= 0 else right(kept, const(-back))
    return Expr(">>", (a, b), a.lo >> shift, a.hi >> shift)


def conjunction(a: Expr, b: Expr) -> Expr:
    if a.constant:
        a, b = b, a
    if not b.constant:
        highest = [e.hi for e in (a, b) if e.lo >= 0]
        return Expr("&", (a, b), 0, min(highest)) if highest else Expr("&", (a, b))
    mask = b.lo
    if mask == 0:
        return FALSE
    if a.op == "&" and a.args[1].constant:
        return conjunction(a.args[0], const(a.args[1].lo & mask))
    if mask < 0:
        return a if mask == -1 else Expr("&", (a, b), 0 if a.lo >= 0 else -UNBOUNDED, a.hi)
    if bits(mask) == mask:
        if a.lo >= 0 and a.hi <= mask:
            return a
        stripped = low_bits(a, mask)
        if stripped is not a:
            return conjunction(stripped, b)
        if a.op == "-" and a.args[0].constant:
            minuend = const(a.args[0].lo & mask)
            if a.args[1].lo >= 0 and a.args[1].hi <= minuend.lo:
                return sub(minuend, a.args[1])
        extended = extend(a, mask)
        if extended is not None:
            return extended
    return Expr("&", (a, b), 0, min(mask, a.hi) if a.lo >= 0 else mask)


def low_bits(a: Expr, mask: int) -> Expr:
    """Something with the same bits under the mask, without masks inside that are at least as wide.

    Not below multiplications, so that the numbers stay small.
    """
    if a.op == "&" and a.args[1].constant and a.args[1].lo & mask == mask:
        return a.args[0]
    if a.op == "signed" and mask < 2 * a.args[1].lo:
        return a.args[0]
    if a.op == "extend" and a.args[2].lo == 0 and mask < 2 * a.args[1].lo:
        return a.args[0]
    if a.op in ("+", "-"):
        x, y = low_bits(a.args[0], mask), low_bits(a.args[1], mask)
        if x is not a.args[0] or y is not a.args[1]:
            return add(x, y) if a.op == "+" else sub(x, y)
    return a


def extend(a: Expr, mask: int) -> Expr | None:
    """signed & mask, and signed >> n & mask: for small values, next to nothing to do."""
    shift = 0
    if a.op == ">>" and a.args[0].op == "signed" and a.args[1].constant:
        a, shift = a.args[0], a.args[1].lo
    if a.op != "signed":
        return None
    value, sign = a.args[0], a.args[1].lo
    if mask < 2 * sign - 1 or not power(2 * sign >> shift):
        return None
    if value.hi < sign:
        return right(value, const(shift))
    return Expr("extend", (value, const(sign), const(shift), const(mask)), 0, mask)


def union(a: Expr, b: Expr) -> Expr:
    if a.constant:
        a, b = b, a
    if b.constant and b.lo == 0:
        return a
    if a.lo >= 0 and b.lo >= 0:
        return Expr("|", (a, b), max(a.lo, b.lo), bits(max(a.hi, b.hi)))
    return Expr("|", (a, b), -UNBOUNDED, -1 if a.hi < 0 or b.hi < 0 else UNBOUNDED)


def difference(a: Expr, b: Expr) -> Expr:
    """Exclusive or."""
    if a.constant:
        a, b = b, a
    if b.constant and b.lo == 0:
        return a
    if b.constant and b.lo == -1:
        return sub(b, a)
    if a.lo >= 0 and b.lo >= 0:
        return Expr("^", (a, b), 0, bits(max(a.hi, b.hi)))
    most = bits(max(*[max(e.hi, ~e.lo) for e in (a, b)]))
    return Expr("^", (a, b), ~most, most)


def compare(op: str, a: Expr, b: Expr) -> Expr:
    if op in (">", "<=") and not (op == "<=" and b.constant):
        return compare(MIRRORED[op], b, a)  # to < and >=
    if op == "<=":
        return compare("<", a, const(b.lo + 1))
    known = decided(op, a, b)
    if known is not None:
        return known
    if op == ">=":
        return negation(compare("<", a, b))
    if op == "<":
        return less(a, b)
    return Expr(op, (a, b), 0, 1)


def decided(op: str, a: Expr, b: Expr) -> Expr | None:
    """What the ranges say."""
    if op in ("<", ">="):
        if a.hi < b.lo:
            return TRUE if op == "<" else FALSE
        if a.lo >= b.hi:
            return FALSE if op == "<" else TRUE
    if op in ("==", "!="):
        if a.hi < b.lo or b.hi < a.lo:
            return FALSE if op == "==" else TRUE
        if same(a, b):
            return TRUE if op == "==" else FALSE
    return None


def less(a: Expr, b: Expr) -> Expr:
    """a < b; with signs flipped on both sides, or one side made signed, without flipping them."""
    if a.op == "signed" and b.constant:
        return flipped_less(a.args[0], const(b.lo + a.args[1].lo), a.args[1].lo)
    if a.op == "^" and a.args[1].constant:
        sign = a.args[1].lo
        if power(sign) and a.args[0].lo >= 0 and a.args[0].hi < 2 * sign:
            return flipped_less(a.args[0], b, sign)
    if b.op == "^" and b.args[1].constant and a.constant:
        sign = b.args[1].lo
        if power(sign) and b.args[0].lo >= 0 and b.args[0].hi < 2 * sign:
            return negation(flipped_less(b.args[0], const(a.lo + 1), sign))
    return Expr("<", (a, b), 0, 1)


def flipped_less(a: Expr, b: Expr, sign: int) -> Expr:
    """(a ^ sign) < b, for 0 <= a < 2 * sign."""
    if b.constant:
        if b.lo <= 0:
            return FALSE
        if b.lo <= sign:
            return between(a, sign, sign + b.lo)
        return negation(between(a, b.lo - sign, sign))
    if b.op == "^" and b.args[1].constant and b.args[1].lo == sign:
        other = b.args[0]
        if other.lo >= 0 and other.hi < 2 * sign:
            if a.hi < sign and other.hi < sign:
                return Expr("<", (a, other), 0, 1)
            return Expr("less", (a, other, const(sign)), 0, 1)
    return Expr("<", (Expr("^", (a, const(sign)), 0, 2 * sign - 1), b), 0, 1)


def between(a: Expr, low: int, high: int) -> Expr:
    """low <= a < high."""
    if low >= high or a.hi < low or a.lo >= high:
        return FALSE
    if a.lo >= low:
        return TRUE if a.hi < high else Expr("<", (a, const(high)), 0, 1)
    if a.hi < high:
        return Expr(">=", (a, const(low)), 0, 1)
    return Expr("between", (a, const(low), const(high)), 0, 1)


def negation(a: Expr) -> Expr:
    """not a, of a condition."""
    if a.constant:
        return FALSE if a.lo else TRUE
    if a.op in NEGATED:
        return Expr(NEGATED[a.op], a.args, 0, 1)
    return a.args[0] if a.op == "not" else Expr("not", (a,), 0, 1)


def choice(condition: Expr, yes: Expr, no: Expr) -> Expr:
    if condition.constant:
        return yes if condition.lo else no
    return Expr("if", (condition, yes, no), min(yes.lo, no.lo), max(yes.hi, no.hi))


def negative(a: Expr) -> Expr:
    return const(-a.lo) if a.constant else Expr("neg", (a,), -a.hi, -a.lo)


def inverse(a: Expr) -> Expr:
    return const(~a.lo) if a.constant else Expr("~", (a,), ~a.hi, ~a.lo)


def absolute(a: Expr) -> Expr:
    if a.lo >= 0:
        return a
    return Expr("abs", (a,), 0, max(abs(a.lo), abs(a.hi)))


RULES: Final[dict[str, Rule]] = {
    "+": add, "-": sub, "*": mul, "//": quotient, "%": remainder, "<<": left, ">>": right,
    "&": conjunction, "|": union, "^": difference,
}  # fmt: skip
