"""An exact model of IEEE 754 on rational numbers: the oracle that knows every mode and every rule.

Written from the standard's definitions, not for speed, and sharing nothing with minion.hart.
A value is a Fraction, an infinity is a float of that name, a NaN is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, isqrt

RNE, RTZ, RDN, RUP, RMM = MODES = range(5)
NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16

Value = Fraction | float | None
Result = tuple[int, int]
"""bits and flags"""


@dataclass(frozen=True)
class Layout:
    exponent_bits: int
    fraction_bits: int

    @property
    def width(self) -> int:
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def bias(self) -> int:
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def nan(self) -> int:
        return self.infinity(False) + 2 ** (self.fraction_bits - 1)

    def infinity(self, negative: bool) -> int:
        return self.zero(negative) + (2**self.exponent_bits - 1) * 2**self.fraction_bits

    def zero(self, negative: bool) -> int:
        return 2 ** (self.width - 1) if negative else 0

    def negative(self, bits: int) -> bool:
        return bits >= 2 ** (self.width - 1)

    def signals(self, bits: int) -> bool:
        fraction = bits % 2**self.fraction_bits
        return self.value(bits) is None and fraction < 2 ** (self.fraction_bits - 1)

    def value(self, bits: int) -> Value:
        exponent = bits // 2**self.fraction_bits % 2**self.exponent_bits
        fraction = bits % 2**self.fraction_bits
        sign = -1 if self.negative(bits) else 1
        if exponent == 2**self.exponent_bits - 1:
            return None if fraction else sign * inf
        if exponent == 0:
            return sign * Fraction(fraction) * two(1 - self.bias - self.fraction_bits)
        significand = 2**self.fraction_bits + fraction
        return sign * Fraction(significand) * two(exponent - self.bias - self.fraction_bits)


SINGLE, DOUBLE = Layout(8, 23), Layout(11, 52)


def two(exponent: int) -> Fraction:
    return Fraction(2**exponent) if exponent >= 0 else Fraction(1, 2**-exponent)


def integral(x: Fraction, rm: int) -> int:
    """x rounded to an integer."""
    low = x.numerator // x.denominator
    if x == low or rm == RDN:
        return low
    if rm == RUP:
        return low + 1
    if rm == RTZ:
        return low if x > 0 else low + 1
    if x - low != Fraction(1, 2):
        return low if x - low < Fraction(1, 2) else low + 1
    if rm == RNE:
        return low if low % 2 == 0 else low + 1
    return low if x < 0 else low + 1


def log2_floor(x: Fraction) -> int:
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if two(guess) <= x else guess - 1


def rounded(layout: Layout, x: Fraction, rm: int) -> Result:
    """A finite nonzero result."""
    least = 1 - layout.bias
    exponent = log2_floor(abs(x))
    unbounded = two(exponent - layout.fraction_bits)
    tiny = abs(integral(x / unbounded, rm) * unbounded) < two(least)
    quantum = two(max(exponent, least) - layout.fraction_bits)
    result = integral(x / quantum, rm) * quantum
    inexact = result != x
    flags = (NX if inexact else 0) | (UF if inexact and tiny else 0)
    if abs(result) >= two(layout.bias + 1):
        away = rm in (RNE, RMM) or rm == (RDN if x < 0 else RUP)
        return layout.infinity(x < 0) - (0 if away else 1), OF | NX
    return encode(layout, result, x < 0), flags


def encode(layout: Layout, x: Fraction, negative: bool) -> int:
    if x == 0:
        return layout.zero(negative)
    exponent = max(log2_floor(abs(x)), 1 - layout.bias)
    significand = abs(x) / two(exponent - layout.fraction_bits)
    assert significand.denominator == 1
    below = int(significand) - 2**layout.fraction_bits  # negative: subnormal
    field = 0 if below < 0 else exponent + layout.bias
    fraction = int(significand) if below < 0 else below
    return layout.zero(negative) + field * 2**layout.fraction_bits + fraction


def invalid(layout: Layout) -> Result:
    return layout.nan, NV


def propagated(layout: Layout, *operands: int) -> Result | None:
    """What NaN operands lead to."""
    if all(layout.value(bits) is not None for bits in operands):
        return None
    return layout.nan, NV if any(map(layout.signals, operands)) else 0


def total(layout: Layout, a: Value, b: Value, signs: tuple[bool, bool], rm: int) -> Result:
    """The sum of two that are no NaNs."""
    assert a is not None
    assert b is not None
    if isinstance(a, float) or isinstance(b, float):
        if isinstance(a, float) and isinstance(b, float) and a != b:
            return invalid(layout)
        return layout.infinity(float(a if isinstance(a, float) else b) < 0), 0
    if a + b:
        return rounded(layout, a + b, rm)
    both = signs[0] if signs[0] == signs[1] else rm == RDN
    return layout.zero(both), 0


def add(layout: Layout, a: int, b: int, rm: int) -> Result:
    signs = layout.negative(a), layout.negative(b)
    return propagated(layout, a, b) or total(layout, layout.value(a), layout.value(b), signs, rm)


def sub(layout: Layout, a: int, b: int, rm: int) -> Result:
    return propagated(layout, a, b) or add(layout, a, b ^ layout.zero(True), rm)


def mul(layout: Layout, a: int, b: int, rm: int) -> Result:
    return fma(layout, a, b, layout.zero(layout.negative(a) != layout.negative(b)), rm)


def fma(layout: Layout, a: int, b: int, c: int, rm: int) -> Result:
    x, y, z = layout.value(a), layout.value(b), layout.value(c)
    negative = layout.negative(a) != layout.negative(b)
    if x is not None and y is not None and {abs(x), abs(y)} == {0, inf}:
        return invalid(layout)
    found = propagated(layout, a, b, c)
    if found:
        return found
    assert x is not None
    assert y is not None
    product: Value
    if isinstance(x, float) or isinstance(y, float):
        product = -inf if negative else inf
    else:
        product = x * y
    return total(layout, product, z, (negative, layout.negative(c)), rm)


def div(layout: Layout, a: int, b: int, rm: int) -> Result:
    found = propagated(layout, a, b)
    if found:
        return found
    x, y = layout.value(a), layout.value(b)
    assert x is not None
    assert y is not None
    negative = layout.negative(a) != layout.negative(b)
    if isinstance(x, float):
        return invalid(layout) if isinstance(y, float) else (layout.infinity(negative), 0)
    if isinstance(y, float):
        return layout.zero(negative), 0
    if y == 0:
        return (layout.infinity(negative), DZ) if x else invalid(layout)
    return rounded(layout, x / y, rm) if x else (layout.zero(negative), 0)


def sqrt(layout: Layout, a: int, rm: int) -> Result:
    found = propagated(layout, a)
    if found:
        return found
    x = layout.value(a)
    if x == 0 or x == inf:
        return a, 0
    if layout.negative(a):
        return invalid(layout)
    assert isinstance(x, Fraction)
    scale = 2 * (layout.bias + 2 * layout.fraction_bits)
    square = x * two(scale)
    assert square.denominator == 1
    root = isqrt(square.numerator)
    between = 0 if root * root == square else Fraction(1, 2)  # irrational: anything in between
    return rounded(layout, (root + between) / two(scale // 2), rm)


def to_integer(layout: Layout, a: int, low: int, high: int, rm: int) -> Result:
    x = layout.value(a)
    if x is None:
        return high, NV
    if isinstance(x, float):
        return (high if x > 0 else low), NV
    n = integral(x, rm)
    if not low <= n <= high:
        return (high if x > 0 else low), NV
    return n, NX if n != x else 0


def from_integer(layout: Layout, n: int, rm: int) -> Result:
    return rounded(layout, Fraction(n), rm) if n else (0, 0)


def between(source: Layout, target: Layout, a: int, rm: int) -> Result:
    x = source.value(a)
    if x is None:
        return target.nan, NV if source.signals(a) else 0
    if isinstance(x, float):
        return target.infinity(x < 0), 0
    return rounded(target, x, rm) if x else (target.zero(source.negative(a)), 0)


def compare(layout: Layout, relation: str, a: int, b: int) -> Result:
    x, y = layout.value(a), layout.value(b)
    if x is None or y is None:
        quiet = relation == "eq" and not (layout.signals(a) or layout.signals(b))
        return 0, 0 if quiet else NV
    return int({"eq": x == y, "lt": x < y, "le": x <= y}[relation]), 0


def extreme(layout: Layout, which: str, a: int, b: int) -> Result:
    """minimumNumber, maximumNumber."""
    flags = NV if layout.signals(a) or layout.signals(b) else 0
    numbers = [bits for bits in (a, b) if layout.value(bits) is not None]
    if not numbers:
        return layout.nan, flags

    def order(bits: int) -> tuple[Fraction | float, bool]:
        x = layout.value(bits)
        assert x is not None
        return x, not layout.negative(bits)

    return (min if which == "min" else max)(numbers, key=order), flags


def classify(layout: Layout, a: int) -> int:
    x = layout.value(a)
    if x is None:
        return 2**8 if layout.signals(a) else 2**9
    if isinstance(x, float):
        place = 3
    elif x == 0:
        place = 0
    else:
        place = 1 if abs(x) < two(1 - layout.bias) else 2
    return 2 ** (3 - place) if layout.negative(a) else 2 ** (4 + place)
