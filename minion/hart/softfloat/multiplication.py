"""Multiplication, and multiplication with an addition under one rounding.

Theory of operation.  A product of magnitudes is exact: twice the bits and the sum of the
exponents.  The fused operation adds c to it as addition.py adds.  Its summands are not alike: the
product may have twice the bits of c or, where a factor is subnormal, a single one.  Hence a longer
`far`: where they are further apart, the smaller one is below a quarter of a unit in the last place
of the sum, whichever it is, or, where c is zero, below a quarter of the least subnormal number.
"""

from __future__ import annotations

from collections.abc import Callable

from minion.hart.softfloat.format import NV, RDN, Binary, Environment, Format, Ternary
from minion.hart.softfloat.nan import nan_answer
from minion.hart.softfloat.rounding import rounding


def multiplication(fmt: Format) -> Binary:
    fraction_bits, exponent_max, sign_bit = fmt.fraction_bits, fmt.exponent_max, fmt.sign
    fraction, hidden = fmt.fraction, fmt.hidden
    unit = fmt.bias + fraction_bits
    round_pack, special = rounding(fmt), special_product(fmt)

    def mul(env: Environment, a: int, b: int, rm: int) -> int:
        exp = a >> fraction_bits & exponent_max
        exp_b = b >> fraction_bits & exponent_max
        if exp == exponent_max or exp_b == exponent_max:
            return special(env, a, b)
        mag = a & fraction
        if exp:
            mag |= hidden
        else:
            exp = 1
        mag_b = b & fraction
        if exp_b:
            mag_b |= hidden
        else:
            exp_b = 1
        mag *= mag_b
        if mag:
            return round_pack(env, (a ^ b) & sign_bit, exp + exp_b - unit, mag, rm)
        return (a ^ b) & sign_bit

    return mul


def special_product(fmt: Format) -> Callable[[Environment, int, int], int]:
    magnitude, inf, default_nan, sign_bit = fmt.magnitude, fmt.inf, fmt.default_nan, fmt.sign
    answer = nan_answer(fmt)

    def special(env: Environment, a: int, b: int) -> int:
        """a * b, of which one is an infinity or a NaN."""
        if a & magnitude > inf or b & magnitude > inf:
            return answer(env, a, b)
        if a & magnitude and b & magnitude:
            return (a ^ b) & sign_bit | inf
        env.fflags |= NV
        return default_nan

    return special


def fused(fmt: Format) -> Ternary:
    fraction_bits, exponent_max, sign_bit = fmt.fraction_bits, fmt.exponent_max, fmt.sign
    fraction, hidden = fmt.fraction, fmt.hidden
    unit = fmt.bias + fraction_bits
    far = 2 * fmt.precision + 2
    round_pack, special = rounding(fmt), special_fused(fmt)

    def multiply_add(env: Environment, a: int, b: int, c: int, rm: int) -> int:
        """a * b + c"""
        exp = a >> fraction_bits & exponent_max
        exp_b = b >> fraction_bits & exponent_max
        exp_c = c >> fraction_bits & exponent_max
        if exp == exponent_max or exp_b == exponent_max or exp_c == exponent_max:
            return special(env, a, b, c)
        mag = (a & fraction | hidden) if exp else a & fraction
        mag *= (b & fraction | hidden) if exp_b else b & fraction
        exp = (exp or 1) + (exp_b or 1) - unit
        mag_c = (c & fraction | hidden) if exp_c else c & fraction
        exp_c = exp_c or 1
        if not mag:
            exp = exp_c
        if (a ^ b) & sign_bit:
            mag = -mag
        if c & sign_bit:
            mag_c = -mag_c
        shift = exp - exp_c
        if shift < 0:
            mag, mag_c = mag_c, mag
            shift = -shift
            exp_c = exp
        if shift > far:
            exp_c += shift - far
            shift = far
        mag = (mag << shift) + mag_c
        if mag > 0:
            return round_pack(env, 0, exp_c, mag, rm)
        if mag:
            return round_pack(env, sign_bit, exp_c, -mag, rm)
        if (a ^ b ^ c) & sign_bit:  # x - x: IEEE 754-2019, section 6.3
            return sign_bit if rm == RDN else 0
        return c & sign_bit

    return multiply_add


def special_fused(fmt: Format) -> Callable[[Environment, int, int, int], int]:
    magnitude, inf, default_nan, sign_bit = fmt.magnitude, fmt.inf, fmt.default_nan, fmt.sign
    answer = nan_answer(fmt)

    def special(env: Environment, a: int, b: int, c: int) -> int:
        """a * b + c, of which one is an infinity or a NaN."""
        mag_a, mag_b, mag_c = a & magnitude, b & magnitude, c & magnitude
        if (mag_a == inf and not mag_b) or (mag_b == inf and not mag_a):
            env.fflags |= NV  # even where c is a quiet NaN: RISC-V F, section 11.6
            return default_nan
        if mag_a > inf or mag_b > inf or mag_c > inf:
            return answer(env, a, b, c)
        if mag_a != inf and mag_b != inf:
            return c
        if mag_c == inf and (a ^ b ^ c) & sign_bit:
            env.fflags |= NV
            return default_nan
        return (a ^ b) & sign_bit | inf

    return special
