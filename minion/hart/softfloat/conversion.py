"""Conversions: between formats, and to and from integers.

Theory of operation.  From integers and between formats a conversion is rounding.py's work alone.
To an integer, the magnitude is cut at the binary point with rounding.py's increment; what does not
fit then is invalid, and only invalid, and saturates; a NaN is greater than every integer (RISC-V F,
table "Domains of float-to-integer conversions").
"""

from __future__ import annotations

from minion.hart.softfloat.format import NV, NX, RTZ, Environment, Format, Unary
from minion.hart.softfloat.nan import nan_answer
from minion.hart.softfloat.rounding import increment, rounding


def to_integer(fmt: Format, low: int, high: int) -> Unary:
    """To an integer of low..high: a Python int, negative where it is."""
    fraction_bits, exponent_max, sign_bit = fmt.fraction_bits, fmt.exponent_max, fmt.sign
    magnitude, fraction, hidden, inf = fmt.magnitude, fmt.fraction, fmt.hidden, fmt.inf
    unit = fmt.bias + fraction_bits
    exp_limit = fmt.bias + high.bit_length() + 1
    """From here on, every number is out of range."""

    def to_int(env: Environment, a: int, rm: int) -> int:
        exp = a >> fraction_bits & exponent_max
        sign = a & sign_bit
        if exp >= exp_limit:
            env.fflags |= NV
            return low if sign and a & magnitude <= inf else high
        mag = (a & fraction | hidden) if exp else a & fraction
        cut = unit - exp  # one too many for a subnormal, which is below one half either way
        flags = 0
        if cut <= 0:
            mag <<= -cut
        else:
            below = (1 << cut) - 1
            if mag & below:
                flags = NX
                if rm != RTZ:
                    mag += increment(rm, sign, below, mag >> cut & 1)
            mag >>= cut
        if sign:
            mag = -mag
        if low <= mag <= high:
            if flags:
                env.fflags |= flags
            return mag
        env.fflags |= NV
        return low if sign else high

    return to_int


def from_integer(fmt: Format) -> Unary:
    """From any Python int."""
    round_pack, sign_bit = rounding(fmt), fmt.sign
    unit = fmt.bias + fmt.fraction_bits

    def from_int(env: Environment, value: int, rm: int) -> int:
        if value > 0:
            return round_pack(env, 0, unit, value, rm)
        if value:
            return round_pack(env, sign_bit, unit, -value, rm)
        return 0

    return from_int


def between(source: Format, target: Format) -> Unary:
    """From one format to another."""
    fraction_bits, exponent_max, sign_bit = (
        source.fraction_bits, source.exponent_max, source.sign,
    )  # fmt: skip
    fraction, hidden = source.fraction, source.hidden
    unit = target.bias + target.fraction_bits - source.bias - source.fraction_bits
    target_sign, target_inf, target_nan = target.sign, target.inf, target.default_nan
    round_pack, answer = rounding(target), nan_answer(source)

    def convert(env: Environment, a: int, rm: int) -> int:
        exp = a >> fraction_bits & exponent_max
        mag = a & fraction
        sign = target_sign if a & sign_bit else 0
        if exp == exponent_max:
            if not mag:
                return sign | target_inf
            answer(env, a)
            return target_nan
        if exp:
            return round_pack(env, sign, exp + unit, mag | hidden, rm)
        if mag:
            return round_pack(env, sign, 1 + unit, mag, rm)
        return sign

    return convert
