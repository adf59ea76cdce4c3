"""Addition and subtraction.

Theory of operation.  Both magnitudes are put on the exponent of the smaller one, exactly, and
added as signed integers.  Where the exponents differ by more than `far`, the smaller number is
added as if it were that close: it is less than a quarter of a unit in the last place of the sum
either way, and so decides the same roundings, as a sticky bit would.
"""

from __future__ import annotations

from collections.abc import Callable

from minion.hart.softfloat.format import NV, RDN, Binary, Environment, Format
from minion.hart.softfloat.nan import nan_answer
from minion.hart.softfloat.rounding import rounding


def addition(fmt: Format) -> Binary:
    fraction_bits, exponent_max, sign_bit = fmt.fraction_bits, fmt.exponent_max, fmt.sign
    fraction, hidden = fmt.fraction, fmt.hidden
    far = fmt.precision + 3
    round_pack, special = rounding(fmt), special_sum(fmt)

    def add(env: Environment, a: int, b: int, rm: int) -> int:
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
        if a & sign_bit:
            mag = -mag
        if b & sign_bit:
            mag_b = -mag_b
        shift = exp - exp_b
        if shift < 0:
            mag, mag_b = mag_b, mag
            shift = -shift
            exp_b = exp
        if shift > far:
            exp_b += shift - far
            shift = far
        mag = (mag << shift) + mag_b
        if mag > 0:
            return round_pack(env, 0, exp_b, mag, rm)
        if mag:
            return round_pack(env, sign_bit, exp_b, -mag, rm)
        if (a ^ b) & sign_bit:  # x - x: IEEE 754-2019, section 6.3
            return sign_bit if rm == RDN else 0
        return a & sign_bit

    return add


def subtraction(fmt: Format) -> Binary:
    add, sign_bit = addition(fmt), fmt.sign

    def sub(env: Environment, a: int, b: int, rm: int) -> int:
        return add(env, a, b ^ sign_bit, rm)

    return sub


def special_sum(fmt: Format) -> Callable[[Environment, int, int], int]:
    magnitude, inf, default_nan = fmt.magnitude, fmt.inf, fmt.default_nan
    answer = nan_answer(fmt)

    def special(env: Environment, a: int, b: int) -> int:
        """a + b, of which one is an infinity or a NaN."""
        if a & magnitude > inf or b & magnitude > inf:
            return answer(env, a, b)
        if a & magnitude != inf:
            return b
        if b & magnitude != inf or a == b:
            return a
        env.fflags |= NV
        return default_nan

    return special
