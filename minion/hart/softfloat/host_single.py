"""binary32 on the host's doubles, where that is exact.

Theory of operation.  Operands and results are NaN-boxed: 64 bits, the upper half ones; what is not
goes to the slow function.  The conditions of host.py hold here, too, with binary32's limits.  An
operation in binary64 that is then rounded to binary32 gives what one rounding would, for + - * /
and square roots whose result is normal: 53 bits are at least twice 24 and two (Figueroa).  A
subnormal sum of singles is exact in both formats.

That does not hold for the fused operation.  x * y is exact in 48 bits, s is x * y + z rounded to
53; the exact sum is between s * (1 - 2**-50) and s * (1 + 2**-50), and if both round to the same
single, it does, too.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

from minion.hart.softfloat.format import NX, Binary, Environment, Ternary, Unary
from minion.hart.softfloat.host import ABOVE, BELOW, scratch

BOX: Final = 0xFFFF_FFFF_0000_0000
LARGEST: Final = 2.0**128 - 2.0**104
LEAST: Final = 2.0**-126
"""The least normal number."""


def addition(slow: Binary) -> Binary:
    bits, _, singles = scratch()
    largest = LARGEST

    def add(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX and a >= BOX and b >= BOX:
            bits[0] = a
            bits[1] = b
            r = singles[0] + singles[2]
            if -largest <= r <= largest:
                singles[0] = r
                return bits[0]
        return slow(env, a, b, rm)

    return add


def subtraction(slow: Binary) -> Binary:
    bits, _, singles = scratch()
    largest = LARGEST

    def sub(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX and a >= BOX and b >= BOX:
            bits[0] = a
            bits[1] = b
            r = singles[0] - singles[2]
            if -largest <= r <= largest:
                singles[0] = r
                return bits[0]
        return slow(env, a, b, rm)

    return sub


def multiplication(slow: Binary) -> Binary:
    bits, _, singles = scratch()
    largest, least = LARGEST, LEAST

    def mul(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX and a >= BOX and b >= BOX:
            bits[0] = a
            bits[1] = b
            r = singles[0] * singles[2]
            if least < r <= largest or -largest <= r < -least or not r:  # never a zero by underflow
                singles[0] = r
                return bits[0]
        return slow(env, a, b, rm)

    return mul


def division(slow: Binary) -> Binary:
    bits, _, singles = scratch()
    largest, least = LARGEST, LEAST

    def div(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX and a >= BOX and b >= BOX:
            bits[0] = a
            bits[1] = b
            y = singles[2]
            if y:
                r = singles[0] / y
                if least < r <= largest or -largest <= r < -least:
                    singles[0] = r
                    return bits[0]
        return slow(env, a, b, rm)

    return div


def square_root(slow: Unary) -> Unary:
    bits, _, singles = scratch()
    largest = LARGEST

    def root(env: Environment, a: int, rm: int) -> int:
        if not rm and env.fflags & NX and a >= BOX:
            bits[0] = a
            x = singles[0]
            if 0.0 < x <= largest:
                singles[0] = sqrt(x)
                return bits[0]
        return slow(env, a, rm)

    return root


def fused(slow: Ternary) -> Ternary:
    bits, _, singles = scratch()
    largest, least, below, above = LARGEST / 2, LEAST * 2, BELOW, ABOVE

    def multiply_add(env: Environment, a: int, b: int, c: int, rm: int) -> int:
        if not rm and env.fflags & NX and a >= BOX and b >= BOX and c >= BOX:
            bits[0] = a
            bits[1] = b
            bits[2] = c
            r = singles[0] * singles[2] + singles[4]
            if least < r < largest or -largest < r < -least:
                singles[0] = r * below
                singles[2] = r * above
                if singles[0] == singles[2]:
                    return bits[0]
        return slow(env, a, b, c, rm)

    return multiply_add
