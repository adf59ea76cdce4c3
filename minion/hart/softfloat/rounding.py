"""Round and pack: the one place where a result becomes inexact, overflows or underflows.

Theory of operation.  A finite nonzero result comes in as a sign (0 or the sign bit) and the
exact magnitude `mag * 2**(exp - bias - fraction_bits)`, or one that rounds alike: an operation that
has not all bits ORs "something was lost" into the lowest one, the sticky bit, at least two places
below the last kept bit.

Rounding adds an increment below the kept bits and cuts: half a unit less one, plus the last kept
bit, rounds ties to even; half a unit rounds them away; a unit less one rounds to infinity.  A
carry out of the fraction walks into the exponent field by itself, as the packing is an addition.

Tininess is detected after rounding (IEEE 754-2019, section 7.5; RISC-V F, "Subnormal Arithmetic"):
a result below the least normal number underflows unless it would round up to that number with an
exponent range without limits, that is, one bit further down than where a subnormal is rounded.
"""

from __future__ import annotations

from collections.abc import Callable

from minion.hart.softfloat.format import NX, OF, RDN, RMM, RNE, RTZ, RUP, UF, Environment, Format

RoundPack = Callable[[Environment, int, int, int, int], int]
"""(environment, sign, exp, mag, rounding mode) -> bits; mag > 0"""


def increment(rm: int, sign: int, below: int, odd: int) -> int:
    """What to add before cutting the bits that `below` masks off; `odd` is the last kept bit."""
    if rm == RNE:
        return (below >> 1) + odd
    if rm == RTZ:
        return 0
    if rm == RMM:
        return (below >> 1) + 1
    return below if (rm == RUP) == (not sign) else 0


def rounding(fmt: Format) -> RoundPack:
    precision, fraction_bits, inf = fmt.precision, fmt.fraction_bits, fmt.inf
    subnormal, overflow = subnormal_rounding(fmt), overflowing(fmt)

    def round_pack(env: Environment, sign: int, exp: int, mag: int, rm: int) -> int:
        extra = mag.bit_length() - precision
        exp += extra
        if exp <= 0:
            return subnormal(env, sign, exp, mag, rm)
        if extra > 0:
            below = (1 << extra) - 1
            if mag & below:
                env.fflags |= NX
                if rm == RNE:
                    mag += (below >> 1) + (mag >> extra & 1)
                else:
                    mag += increment(rm, sign, below, 0)
            bits = (mag >> extra) + (exp - 1 << fraction_bits)
        else:
            bits = (mag << -extra) + (exp - 1 << fraction_bits)
        if bits >= inf:
            return overflow(env, sign, rm)
        return bits | sign

    return round_pack


def subnormal_rounding(fmt: Format) -> RoundPack:
    """For magnitudes below the least normal number: `exp <= 0` is that of its leading bit."""
    precision, hidden = fmt.precision, fmt.hidden

    def round_subnormal(env: Environment, sign: int, exp: int, mag: int, rm: int) -> int:
        cut = mag.bit_length() - precision + 1 - exp
        if cut <= 0:
            return sign | mag << -cut
        below = (1 << cut) - 1
        if not mag & below:
            return sign | mag >> cut
        bits = mag + increment(rm, sign, below, mag >> cut & 1) >> cut
        env.fflags |= NX
        if bits < hidden:
            env.fflags |= UF
        else:  # rounded up to the least normal number: would it with one more bit, too?
            further = below >> 1
            up = increment(rm, sign, further, mag >> cut - 1 & 1) if mag & further else 0
            if mag + up < hidden << cut:
                env.fflags |= UF
        return sign | bits

    return round_subnormal


def overflowing(fmt: Format) -> Callable[[Environment, int, int], int]:
    inf, largest = fmt.inf, fmt.largest

    def overflow(env: Environment, sign: int, rm: int) -> int:
        """(environment, sign, rounding mode) -> infinity or the largest number."""
        env.fflags |= OF | NX
        if rm == RTZ or rm == (RUP if sign else RDN):
            return sign | largest
        return sign | inf

    return overflow
