"""Conversions by the host's doubles, where they are exact or the conditions of host.py hold.

Singles are NaN-boxed.  A conversion that can only be exact depends on no rounding mode; still it
has to be one: the slow functions know what to do with others.
"""

from __future__ import annotations

from math import nextafter

from minion.hart.softfloat.format import NX, RMM, RNE, RTZ, Environment, Unary
from minion.hart.softfloat.host import scratch
from minion.hart.softfloat.host_single import BOX, LARGEST, LEAST


def widening(slow: Unary) -> Unary:
    """Single to double: exact."""
    bits, doubles, singles = scratch()

    def widen(env: Environment, a: int, rm: int) -> int:
        if a >= BOX and rm <= RMM:
            bits[0] = a
            x = singles[0]
            if x == x:
                doubles[0] = x
                return bits[0]
        return slow(env, a, rm)

    return widen


def narrowing(slow: Unary) -> Unary:
    """Double to single."""
    bits, doubles, singles = scratch()
    largest, least = LARGEST, LEAST

    def narrow(env: Environment, a: int, rm: int) -> int:
        if rm == RNE and env.fflags & NX:
            bits[0] = a
            x = doubles[0]
            if least < x <= largest or -largest <= x < -least or not x:
                singles[2] = x
                return bits[1]
        return slow(env, a, rm)

    return narrow


def double_from_integer(slow: Unary) -> Unary:
    bits, doubles, _ = scratch()
    largest = 1 << 53

    def from_int(env: Environment, value: int, rm: int) -> int:
        if -largest <= value <= largest and rm <= RMM:
            doubles[0] = value
            return bits[0]
        return slow(env, value, rm)

    return from_int


def single_from_integer(slow: Unary) -> Unary:
    bits, _, singles = scratch()
    largest = 1 << 24

    def from_int(env: Environment, value: int, rm: int) -> int:
        if -largest <= value <= largest and rm <= RMM:
            singles[0] = value
            return bits[0]
        return slow(env, value, rm)

    return from_int


def double_to_integer(slow: Unary, low: int, high: int) -> Unary:
    """Cutting, as C's casts do."""
    bits, doubles, _ = scratch()
    least = float(low)
    largest = float(high) if int(float(high)) == high else nextafter(float(high), 0.0)

    def to_int(env: Environment, a: int, rm: int) -> int:
        if rm == RTZ:
            bits[0] = a
            x = doubles[0]
            if least <= x <= largest:
                value = int(x)
                if env.fflags & NX or value == x:
                    return value
        return slow(env, a, rm)

    return to_int


def single_to_integer(slow: Unary, low: int, high: int) -> Unary:
    """Cutting, as C's casts do."""
    bits, _, singles = scratch()
    least = float(low)
    largest = float(high) if int(float(high)) == high else nextafter(float(high), 0.0)

    def to_int(env: Environment, a: int, rm: int) -> int:
        if rm == RTZ and a >= BOX:
            bits[0] = a
            x = singles[0]
            if least <= x <= largest:
                value = int(x)
                if env.fflags & NX or value == x:
                    return value
        return slow(env, a, rm)

    return to_int
