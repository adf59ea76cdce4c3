"""Expressions on Python ints, with what is known of their values.

An Expr says lo <= value <= hi.  The constructors fold as they build; every rule holds for any
Python ints in the ranges of its operands, so that none of them knows about instructions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Final

UNBOUNDED: Final = 1 << 200
"""Beyond what any expression of an instruction can be: no range is known."""
WIDEST_SHIFT: Final = 256


class Expr:
    """`op` is Python's operator, or one of const, name, if, abs, text, signed, extend, between."""

    __slots__ = ("args", "constant", "hi", "lo", "op", "text")

    def __init__(
        self, op: str, args: tuple[Expr, ...] = (), lo: int = -UNBOUNDED, hi: int = UNBOUNDED,
        text: str = "",
    ) -> None:  # fmt: skip
        self.op = op
        self.args = args
        self.lo = lo if lo > -UNBOUNDED else -UNBOUNDED
        self.hi = hi if hi < UNBOUNDED else UNBOUNDED
        self.text = text
        self.constant = op == "const"

    def become(self, variable: str) -> None:
        """It is in a local variable from now on."""
        self.op, self.args, self.text = "name", (), variable

    def leaves(self) -> Iterator[Expr]:
        """The names and texts in it, each as often as it occurs."""
        if not self.args:
            yield self
        for arg in self.args:
            yield from arg.leaves()


def const(value: int) -> Expr:
    return Expr("const", (), value, value)


def name(text: str, lo: int, hi: int) -> Expr:
    """A local variable."""
    return Expr("name", (), lo, hi, text)


def text(source: str, lo: int = -UNBOUNDED, hi: int = UNBOUNDED) -> Expr:
    """Source that stands for a value and is evaluated once."""
    return Expr("text", (), lo, hi, source)


TRUE: Final = const(1)
FALSE: Final = const(0)
OPERATORS: Final[dict[str, Callable[[int, int], int]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv,
    "%": operator.mod, "<<": operator.lshift, ">>": operator.rshift, "&": operator.and_,
    "|": operator.or_, "^": operator.xor, "<": operator.lt, "<=": operator.le, "==": operator.eq,
    "!=": operator.ne, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def bits(value: int) -> int:
    """The least 2**n - 1 that is not below value."""
    return (1 << value.bit_length()) - 1


def power(value: int) -> bool:
    """Whether it is 2**n."""
    return value > 0 and value & value - 1 == 0


def same(a: Expr, b: Expr) -> bool:
    """Certainly the same value."""
    if a is b:
        return True
    if a.op != b.op or a.text != b.text or len(a.args) != len(b.args) or a.op == "text":
        return False
    if a.op == "const":
        return a.lo == b.lo
    return all(same(x, y) for x, y in zip(a.args, b.args, strict=True))
