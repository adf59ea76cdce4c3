"""binary64 on the host's doubles, where that is exact: in half to a third of the integers' time.

Theory of operation.  A Python float is the host's double, and CPython's + - * / and math.sqrt are
its operations: IEEE's, to nearest even, under no one's control but the C library's default.  What
they hide is the flags.  Hence each function here answers only if

 1. the mode is RNE,
 2. NX is set in the environment already, so that it does not matter whether the result is exact,
 3. the result shows that no other flag can be raised:
    - it is finite, so there was no NaN, no infinity and no zero divisor among the operands that
      could have raised NV or DZ (a finite quotient by infinity is zero, and excluded below), and
      no overflow, as that rounds to infinity in this mode;
    - it is a sum: a subnormal sum is exact (both operands are multiples of its last place), and
      only inexact results underflow; or its magnitude is above the least normal number, so that
      the exact result is not below it, rounded or not.  A zero product of a zero is exact, too.

and otherwise leaves it to the function on integers it was made from.

The fused operation has no counterpart in Python 3.11 and takes three steps.  p = x * y and, after
Dekker (Veltkamp's splitting), e = x * y - p exactly; s = p + z and, after Knuth, t = p + z - s
exactly; v = t + e with a relative error of at most 2**-53.  So the exact result is s + v' with v'
between v * (1 - 2**-50) and v * (1 + 2**-50).  Rounding is monotonic: if s plus either bound rounds
to the same number, so does the exact result (Ziv's test); if not, the integers decide.  What
overflows on the way ends in a NaN, which is not equal to itself.  What underflows: e is exact if
|p| >= 2**-960, for all partial products are then multiples of 2**-1074.  If p is smaller, then, as
|r| > 2**-900 is asked for, z is so large that p, e and any error of theirs are below a quarter of a
unit in its last place: the result is z, and so is s plus either bound.

`sound` tries what is assumed of the host, as x87 registers and flushing of subnormals, which a
foreign library may switch on, would break it.
"""

from __future__ import annotations

import sys
from math import sqrt
from typing import Final

from minion.hart.softfloat.format import NX, Binary, Environment, Ternary, Unary

LARGEST: Final = sys.float_info.max
LEAST: Final = sys.float_info.min
"""The least normal number."""
SPLIT: Final = 2.0**27 + 1
BELOW: Final = 1 - 2.0**-50
ABOVE: Final = 1 + 2.0**-50
FUSED_LEAST: Final = 2.0**-900
FUSED_LARGEST: Final = 2.0**1000


def sound() -> bool:
    """Whether the host's doubles are binary64, rounded once, with subnormals."""
    tiny = sys.float_info.min * sys.float_info.epsilon
    one, half_unit = 1.0, 2.0**-53
    rounded_once = one + (half_unit + 2.0**-64) > one  # to 64 bits first, it would tie
    return (
        sys.byteorder == "little"
        and (sys.float_info.mant_dig, sys.float_info.max_exp) == (53, 1024)
        and rounded_once
        and tiny > 0
        and tiny + tiny > tiny
    )


def scratch() -> tuple[memoryview[int], memoryview[float], memoryview[float]]:
    """Three words, all ones: as bits, as doubles, as singles (two to a word).

    Each function has its own, so it is not for two threads at a time.
    """
    buffer = memoryview(bytearray(b"\xff" * 24))
    return buffer.cast("Q"), buffer.cast("d"), buffer.cast("f")


def addition(slow: Binary) -> Binary:
    bits, doubles, _ = scratch()
    largest = LARGEST

    def add(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX:
            bits[0] = a
            bits[1] = b
            r = doubles[0] + doubles[1]
            if -largest <= r <= largest:
                doubles[0] = r
                return bits[0]
        return slow(env, a, b, rm)

    return add


def subtraction(slow: Binary) -> Binary:
    bits, doubles, _ = scratch()
    largest = LARGEST

    def sub(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX:
            bits[0] = a
            bits[1] = b
            r = doubles[0] - doubles[1]
            if -largest <= r <= largest:
                doubles[0] = r
                return bits[0]
        return slow(env, a, b, rm)

    return sub


def multiplication(slow: Binary) -> Binary:
    bits, doubles, _ = scratch()
    largest, least = LARGEST, LEAST

    def mul(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX:
            bits[0] = a
            bits[1] = b
            x = doubles[0]
            y = doubles[1]
            r = x * y
            if least < r <= largest or -largest <= r < -least or (not r and not (x and y)):
                doubles[0] = r
                return bits[0]
        return slow(env, a, b, rm)

    return mul


def division(slow: Binary) -> Binary:
    bits, doubles, _ = scratch()
    largest, least = LARGEST, LEAST

    def div(env: Environment, a: int, b: int, rm: int) -> int:
        if not rm and env.fflags & NX:
            bits[0] = a
            bits[1] = b
            y = doubles[1]
            if y:
                r = doubles[0] / y
                if least < r <= largest or -largest <= r < -least:
                    doubles[0] = r
                    return bits[0]
        return slow(env, a, b, rm)

    return div


def square_root(slow: Unary) -> Unary:
    bits, doubles, _ = scratch()
    largest = LARGEST

    def root(env: Environment, a: int, rm: int) -> int:
        if not rm and env.fflags & NX:
            bits[0] = a
            x = doubles[0]
            if 0.0 < x <= largest:  # half the exponent: the root is normal
                doubles[0] = sqrt(x)
                return bits[0]
        return slow(env, a, rm)

    return root


def fused(slow: Ternary) -> Ternary:
    bits, doubles, _ = scratch()
    split, below, above, least, largest = SPLIT, BELOW, ABOVE, FUSED_LEAST, FUSED_LARGEST

    def multiply_add(env: Environment, a: int, b: int, c: int, rm: int) -> int:
        if not rm and env.fflags & NX:
            bits[0] = a
            bits[1] = b
            bits[2] = c
            x = doubles[0]
            y = doubles[1]
            z = doubles[2]
            p = x * y
            t = split * x
            x_high = t - (t - x)
            x_low = x - x_high
            t = split * y
            y_high = t - (t - y)
            y_low = y - y_high
            e = ((x_high * y_high - p) + x_high * y_low + x_low * y_high) + x_low * y_low
            s = p + z
            t = s - p
            v = (p - (s - t)) + (z - t) + e
            r = s + v * below
            if r == s + v * above and (least < r < largest or -largest < r < -least):
                doubles[0] = r
                return bits[0]
        return slow(env, a, b, c, rm)

    return multiply_add
