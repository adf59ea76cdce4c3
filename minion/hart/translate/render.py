"""Expressions to source text, in the form that CPython computes fastest.

Operations on ints beyond 30 bits allocate; comparisons do not.  So where a mask or an extension of
the sign only matters for rare values, it is behind a comparison.
"""

from __future__ import annotations

from typing import Final

from minion.hart.translate.node import Expr

ATOMS: Final = ("const", "name")
ARITHMETIC: Final = ("+", "-")
LARGE: Final = (1 << 31) - 1
"""Numbers up to this are small."""


class Renderer:
    """Gives out names for temporaries; they are local to the expression."""

    def __init__(self) -> None:
        self._used = 0

    def text(self, e: Expr) -> str:
        """The source of an expression; parenthesised if it is more than an atom."""
        self._used = 0
        return self._text(e)

    def truth(self, e: Expr) -> str:
        """The source of a condition, for if: only its truth counts."""
        self._used = 0
        return self._truth(e)

    def _truth(self, e: Expr) -> str:
        if e.op in ("==", "!=") and e.args[1].constant and e.args[1].lo == 0:
            a = self._text(e.args[0])
            return a if e.op == "!=" else f"not {a}"
        return self._text(e)

    def _temporary(self) -> str:
        self._used += 1
        return f"t{self._used}"

    def _text(self, e: Expr) -> str:
        match e.op:
            case "const":
                return str(e.lo) if e.lo >= 0 else f"({e.lo})"
            case "name" | "text":
                return e.text
            case "&" if rarely(e):
                return self._masked(e)
            case "signed":
                return self._signed(e)
            case "extend":
                return self._extended(e)
            case "less":
                return self._less(e)
            case "between":
                value, low, high = [self._text(arg) for arg in e.args]
                return f"({low} <= {value} < {high})"
            case "if":
                condition = self._truth(e.args[0])
                yes, no = self._text(e.args[1]), self._text(e.args[2])
                return f"({yes} if {condition} else {no})"
            case "not":
                return f"(not {self._truth(e.args[0])})"
            case "neg":
                return f"(-{self._text(e.args[0])})"
            case "~":
                return f"(~{self._text(e.args[0])})"
            case "abs":
                return f"abs({self._text(e.args[0])})"
            case "+" if e.args[1].constant and e.args[1].lo < 0:
                return f"({self._text(e.args[0])} - {-e.args[1].lo})"
        a, b = [self._text(arg) for arg in e.args]
        return f"({a} {e.op} {b})"

    def _bound(self, e: Expr) -> tuple[str, str]:
        """How to write a value that is used more than once: the first time, and then."""
        if e.op in ("const", "name"):
            text = self._text(e)
            return text, text
        text = self._text(e)
        kept = self._temporary()
        return f"({kept} := {text})", kept

    def _masked(self, e: Expr) -> str:
        value, mask = e.args[0], e.args[1].lo
        first, then = self._bound(value)
        return f"({then} if {inside(value, first, mask)} else {then} & {mask})"

    def _signed(self, e: Expr) -> str:
        first, then = self._bound(e.args[0])
        sign = e.args[1].lo
        return f"({then} if {first} < {sign} else {then} - {2 * sign})"

    def _extended(self, e: Expr) -> str:
        value, sign, shift, mask = e.args[0], e.args[1].lo, e.args[2].lo, e.args[3].lo
        high = mask + 1 - (2 * sign >> shift)
        small = f" >> {shift}" if shift else ""
        if value.op == "&" and cheap(value) and value.args[1].lo == 2 * sign - 1:
            first, then = self._bound(value.args[0])
            whole = self._temporary()
            cut = f"({whole} := {then} & {2 * sign - 1})"
            return (
                f"({then}{small} if {inside(value.args[0], first, sign - 1)} else "
                f"{whole}{small} if {cut} < {sign} else ({whole}{small}) + {high})"
            )
        first, then = self._bound(value)
        return f"({then}{small} if {first} < {sign} else ({then}{small}) + {high})"

    def _less(self, e: Expr) -> str:
        sign = e.args[2].lo
        if e.args[1].op not in ATOMS:  # it may not be bound by the time it is needed
            left, right = [self._text(arg) for arg in e.args[:2]]
            return f"({left} ^ {sign} < {right} ^ {sign})"
        a, b = [self._bound(arg) for arg in e.args[:2]]
        return (
            f"({a[1]} < {b[1]} if {a[0]} < {sign} > {b[0]} else "
            f"{a[1]} < {b[1]} if {a[1]} >= {sign} <= {b[1]} else {b[1]} < {sign})"
        )


def cheap(e: Expr) -> bool:
    """A masked value that it is worth looking at before it is masked."""
    return e.args[0].op in (*ARITHMETIC, "name") and e.args[1].constant


def rarely(e: Expr) -> bool:
    """A mask that hardly ever changes anything: of a sum, or of all that is not a small number."""
    if not cheap(e):
        return False
    value, mask = e.args[0], e.args[1].lo
    if mask < LARGE or mask & mask + 1 or value.lo < ~mask:
        return False
    return value.op == "name" or value.hi <= 2 * mask + 1


def inside(value: Expr, source: str, most: int) -> str:
    """The condition that 0 <= value <= most."""
    if value.lo >= 0:
        return f"{source} <= {most}"
    if value.hi <= most:
        return f"{source} >= 0"
    return f"0 <= {source} <= {most}"
