"""Division and square root.

Theory of operation.  Integer division and integer square root give as many bits as are asked for:
the dividend or radicand is shifted so far up that the result has at least two bits more than the
format, and the remainder, if there is one, becomes the sticky bit.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

from minion.hart.softfloat.format import DZ, NV, Binary, Environment, Format, Unary
from minion.hart.softfloat.nan import nan_answer
from minion.hart.softfloat.rounding import rounding


def division(fmt: Format) -> Binary:
    fraction_bits, exponent_max, sign_bit = fmt.fraction_bits, fmt.exponent_max, fmt.sign
    fraction, hidden, bias = fmt.fraction, fmt.hidden, fmt.bias
    digits = fmt.precision + 2
    round_pack, special = rounding(fmt), special_quotient(fmt)

    def div(env: Environment, a: int, b: int, rm: int) -> int:
        exp = a >> fraction_bits & exponent_max
        exp_b = b >> fraction_bits & exponent_max
        mag = a & fraction
        mag_b = b & fraction
        if exp == exponent_max or exp_b == exponent_max or not (exp_b or mag_b):
            return special(env, a, b)
        shift = digits
        if exp:
            mag |= hidden
        elif mag:
            exp = 1
            shift += fraction_bits  # a short dividend
        else:
            return (a ^ b) & sign_bit
        if exp_b:
            mag_b |= hidden
        else:
            exp_b = 1
        mag, rest = divmod(mag << shift, mag_b)
        if rest:
            mag |= 1
        exp += bias + fraction_bits - shift - exp_b
        return round_pack(env, (a ^ b) & sign_bit, exp, mag, rm)

    return div


def special_quotient(fmt: Format) -> Callable[[Environment, int, int], int]:
    magnitude, inf, default_nan, sign_bit = fmt.magnitude, fmt.inf, fmt.default_nan, fmt.sign
    answer = nan_answer(fmt)

    def special(env: Environment, a: int, b: int) -> int:
        """a / b, where one is an infinity or a NaN, or b is zero."""
        mag_a, mag_b = a & magnitude, b & magnitude
        if mag_a > inf or mag_b > inf:
            return answer(env, a, b)
        if mag_a == mag_b:  # both infinite or both zero
            env.fflags |= NV
            return default_nan
        if mag_b == inf:
            return (a ^ b) & sign_bit
        if mag_a != inf:
            env.fflags |= DZ
        return (a ^ b) & sign_bit | inf

    return special


def square_root(fmt: Format) -> Unary:
    fraction_bits, fraction, hidden = fmt.fraction_bits, fmt.fraction, fmt.hidden
    inf, unit = fmt.inf, fmt.bias + fmt.fraction_bits
    digits = fmt.precision + 4
    round_pack, special = rounding(fmt), special_root(fmt)

    def sqrt(env: Environment, a: int, rm: int) -> int:
        if not 0 < a < inf:
            return special(env, a)
        exp = (a >> fraction_bits) - unit
        mag = a & fraction
        shift = digits
        if a >= hidden:
            mag |= hidden
        else:
            exp += 1
            shift += fraction_bits  # a short radicand
        shift += exp - shift & 1  # half of an even exponent
        mag <<= shift
        root = isqrt(mag)
        if root * root != mag:
            root |= 1
        return round_pack(env, 0, (exp - shift >> 1) + unit, root, rm)

    return sqrt


def special_root(fmt: Format) -> Callable[[Environment, int], int]:
    magnitude, inf, sign_bit, default_nan = fmt.magnitude, fmt.inf, fmt.sign, fmt.default_nan
    answer = nan_answer(fmt)

    def special(env: Environment, a: int) -> int:
        """The root of a zero, an infinity, a NaN or a negative number."""
        if a & magnitude > inf:
            return answer(env, a)
        if a in (0, sign_bit, inf):
            return a  # the root of -0 is -0
        env.fflags |= NV
        return default_nan

    return special
