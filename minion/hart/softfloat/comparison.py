"""Comparisons, minimum and maximum, classification.

Theory of operation.  Two numbers of one sign compare as their patterns do, backwards where they are
negative; zeros of either sign are equal.  No comparison rounds.
"""

from __future__ import annotations

from collections.abc import Callable

from minion.hart.softfloat.format import NV, Compare, Environment, Format
from minion.hart.softfloat.nan import nan_answer, signalling

Choice = Callable[[int, int], int]


def equal(fmt: Format) -> Compare:
    magnitude, inf = fmt.magnitude, fmt.inf
    answer = nan_answer(fmt)

    def eq(env: Environment, a: int, b: int) -> int:
        """Quiet: only a signalling NaN is invalid."""
        if a & magnitude > inf or b & magnitude > inf:
            answer(env, a, b)
            return 0
        return int(a == b or not (a | b) & magnitude)

    return eq


def less(fmt: Format) -> Compare:
    magnitude, inf, sign_bit = fmt.magnitude, fmt.inf, fmt.sign

    def lt(env: Environment, a: int, b: int) -> int:
        """Signalling: any NaN is invalid."""
        if a & magnitude > inf or b & magnitude > inf:
            env.fflags |= NV
            return 0
        if a & sign_bit:
            return int(a > b if b & sign_bit else (a | b) & magnitude != 0)
        return int(a < b < sign_bit)

    return lt


def less_equal(fmt: Format) -> Compare:
    magnitude, inf, sign_bit = fmt.magnitude, fmt.inf, fmt.sign

    def le(env: Environment, a: int, b: int) -> int:
        """Signalling: any NaN is invalid."""
        if a & magnitude > inf or b & magnitude > inf:
            env.fflags |= NV
            return 0
        if a & sign_bit:
            return int(a >= b or b < sign_bit)
        return int(a <= b < sign_bit or not (a | b) & magnitude)

    return le


def minimum(fmt: Format) -> Compare:
    return choice(fmt, max, min)


def maximum(fmt: Format) -> Compare:
    return choice(fmt, min, max)


def choice(fmt: Format, negative: Choice, positive: Choice) -> Compare:
    """minimumNumber or maximumNumber (IEEE 754-2019, section 9.6), by how to choose patterns.

    `negative` is the way where there is a sign bit among the operands; -0 is less than +0.
    """
    magnitude, inf, sign_bit, default_nan = fmt.magnitude, fmt.inf, fmt.sign, fmt.default_nan
    is_signalling = signalling(fmt)

    def choose(env: Environment, a: int, b: int) -> int:
        nan_a, nan_b = a & magnitude > inf, b & magnitude > inf
        if nan_a or nan_b:
            if is_signalling(a) or is_signalling(b):
                env.fflags |= NV
            if nan_a and nan_b:
                return default_nan
            return b if nan_a else a
        return negative(a, b) if (a | b) & sign_bit else positive(a, b)

    return choose


def classify(fmt: Format) -> Callable[[int], int]:
    """The mask of fclass: one bit of ten."""
    magnitude, inf, hidden, quiet, sign_bit = (
        fmt.magnitude, fmt.inf, fmt.hidden, fmt.quiet, fmt.sign,
    )  # fmt: skip

    def fclass(a: int) -> int:
        mag = a & magnitude
        if mag > inf:
            return 1 << 9 if a & quiet else 1 << 8
        if mag == inf:
            above = 3
        elif mag >= hidden:
            above = 2
        else:
            above = 1 if mag else 0
        return 1 << 3 - above if a & sign_bit else 1 << 4 + above

    return fclass
