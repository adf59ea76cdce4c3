"""softfloat against exact rational arithmetic: every operation, every rounding mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import float_model as model
import pytest
from float_model import DOUBLE, MODES, SINGLE, Layout
from float_operands import LONG, Patterns, corners, few, pairs

from minion.hart.softfloat import addition, comparison, conversion, division, multiplication
from minion.hart.softfloat.format import F32, F64, Format

FORMATS = [pytest.param((F32, SINGLE), id="f32"), pytest.param((F64, DOUBLE), id="f64")]
pytestmark = pytest.mark.slow
CASES = 100_000 if LONG else 500
"""Per operation, format and mode."""
RANGES = [(-(2**31), 2**31 - 1), (0, 2**32 - 1), (-(2**63), 2**63 - 1), (0, 2**64 - 1)]

Both = tuple[Format, Layout]


class Flags:
    fflags = 0


def answer(function: Callable[..., int], *operands: int) -> model.Result:
    env = Flags()
    return function(env, *operands), env.fflags


def check(
    function: Callable[..., int],
    expected: Callable[..., model.Result],
    cases: Iterable[tuple[int, ...]],
    modes: Iterable[int] = MODES,
) -> None:
    for operands in cases:
        for rm in modes:
            got, wanted = answer(function, *operands, rm), expected(*operands, rm)
            assert got == wanted, f"{[hex(x) for x in operands]} mode {rm}"


@pytest.mark.parametrize("both", FORMATS)
@pytest.mark.parametrize(
    ("factory", "name"),
    [
        (addition.addition, "add"),
        (addition.subtraction, "sub"),
        (multiplication.multiplication, "mul"),
        (division.division, "div"),
    ],
)
def test_two_operands(both: Both, factory: Callable[..., Callable[..., int]], name: str) -> None:
    fmt, layout = both
    patterns = Patterns(layout, 1)
    cases = pairs(few(layout)) + [patterns.two() for _ in range(CASES)]
    expected = getattr(model, name)
    check(factory(fmt), lambda a, b, rm: expected(layout, a, b, rm), cases)


@pytest.mark.parametrize("both", FORMATS)
def test_fused(both: Both) -> None:
    fmt, layout = both
    patterns = Patterns(layout, 2)
    some = few(layout)[::2]
    cases = [(a, b, c) for a, b in pairs(some) for c in some] if LONG else []
    cases += [patterns.three() for _ in range(2 * CASES)]
    check(multiplication.fused(fmt), lambda a, b, c, rm: model.fma(layout, a, b, c, rm), cases)


@pytest.mark.parametrize("both", FORMATS)
def test_zero_times_infinity_is_invalid_whatever_is_added(both: Both) -> None:
    fmt, layout = both
    fma = multiplication.fused(fmt)
    for c in corners(layout):
        for sign in (False, True):
            zero, infinity = layout.zero(sign), layout.infinity(sign)
            assert answer(fma, zero, infinity, c, 0) == (layout.nan, model.NV)
            assert answer(fma, infinity, zero, c, 0) == (layout.nan, model.NV)


@pytest.mark.parametrize("both", FORMATS)
def test_around_the_least_normal_number(both: Both) -> None:
    """Just below it, tininess depends on one more bit: least * (1 - 2**-n), n near the precision.

    As products with few bits, where nothing is left to cut, and with many, tied and not.
    """
    fmt, layout = both
    mul, precision = multiplication.multiplication(fmt), layout.fraction_bits + 1
    least = model.two(1 - layout.bias)
    seen = set()
    for n in range(precision - 1, precision + 5):
        for a in divisors((1 << n) - 1, precision):
            b = ((1 << n) - 1) // a
            for shift in (1, precision - 1, layout.bias // 2, layout.bias):
                x, y = a * model.two(-shift), b * least / model.two(n - shift)
                if y.denominator <= 1 << layout.bias + layout.fraction_bits - 1:
                    case = (model.encode(layout, x, False), model.encode(layout, y, False))
                    check(mul, lambda a, b, rm: model.mul(layout, a, b, rm), [case])
                    seen.add((n, answer(mul, *case, model.RNE)[1]))
    assert seen >= {(precision, 3), (precision + 1, 1), (precision + 2, 1)}, seen


def divisors(n: int, precision: int) -> list[int]:
    """Some, so that they and what they leave have at most precision bits."""
    small = [a for a in range(1, 1 << 11, 2) if n % a == 0]
    factors = {a * b for a in small for b in small if n % (a * b) == 0}
    factors |= {(1 << n.bit_length() // 2) - 1} if n.bit_length() % 2 == 0 else set()
    factors |= {n // a for a in factors}
    return [a for a in factors if a >> precision == n // a >> precision == 0]


@pytest.mark.parametrize("both", FORMATS)
def test_square_root(both: Both) -> None:
    fmt, layout = both
    patterns = Patterns(layout, 3)
    cases = [(a,) for a in corners(layout)] + [(patterns.one(),) for _ in range(CASES)]
    cases += [(a & layout.zero(True) - 1,) for (a,) in cases]
    check(division.square_root(fmt), lambda a, rm: model.sqrt(layout, a, rm), cases)


@pytest.mark.parametrize("both", FORMATS)
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_to_integers(both: Both, low: int, high: int) -> None:
    fmt, layout = both
    patterns = Patterns(layout, 4)
    cases = [(a,) for a in corners(layout)] + [(patterns.one(),) for _ in range(CASES)]
    for limit in (low, high, high + 1, low - 1):
        middle = model.from_integer(layout, limit, 0)[0]
        cases += [(middle + i,) for i in range(-3, 4)]
        cases += [(model.rounded(layout, model.Fraction(2 * limit + i, 2), 1)[0],) for i in (-1, 1)]
    function = conversion.to_integer(fmt, low, high)
    check(function, lambda a, rm: model.to_integer(layout, a, low, high, rm), cases)


@pytest.mark.parametrize("both", FORMATS)
def test_from_integers(both: Both) -> None:
    fmt, layout = both
    patterns = Patterns(layout, 5)
    cases = [(n,) for n in (0, 1, 2**31, 2**32 - 1, 2**63, 2**63 - 1, 2**64 - 1)]
    cases += [(patterns.integer(),) for _ in range(CASES)]
    cases += [(-n,) for (n,) in cases]
    check(conversion.from_integer(fmt), lambda n, rm: model.from_integer(layout, n, rm), cases)


@pytest.mark.parametrize(
    ("source", "target"), [((F32, SINGLE), (F64, DOUBLE)), ((F64, DOUBLE), (F32, SINGLE))]
)
def test_between_formats(source: Both, target: Both) -> None:
    patterns, inner = Patterns(source[1], 6), Patterns(target[1], 7)
    back = [model.between(target[1], source[1], a, 0)[0] for a in corners(target[1])]
    back += [model.between(target[1], source[1], inner.one(), 0)[0] for _ in range(CASES)]
    near = [bits + i & source[1].zero(True) * 2 - 1 for bits in back for i in (-1, 0, 1)]
    cases = [(a,) for a in corners(source[1]) + near]
    cases += [(patterns.one(),) for _ in range(CASES)]
    function = conversion.between(source[0], target[0])
    check(function, lambda a, rm: model.between(source[1], target[1], a, rm), cases)


@pytest.mark.parametrize("both", FORMATS)
def test_comparisons(both: Both) -> None:
    fmt, layout = both
    patterns = Patterns(layout, 8)
    cases = pairs(corners(layout)) + [patterns.two() for _ in range(CASES)]
    functions = {
        "eq": comparison.equal(fmt),
        "lt": comparison.less(fmt),
        "le": comparison.less_equal(fmt),
    }
    extremes = {"min": comparison.minimum(fmt), "max": comparison.maximum(fmt)}
    for a, b in cases:
        for name, function in functions.items():
            assert answer(function, a, b) == model.compare(layout, name, a, b), (name, a, b)
        for name, function in extremes.items():
            assert answer(function, a, b) == model.extreme(layout, name, a, b), (name, a, b)


@pytest.mark.parametrize("both", FORMATS)
def test_classes(both: Both) -> None:
    fmt, layout = both
    classify, patterns = comparison.classify(fmt), Patterns(layout, 9)
    for a in corners(layout) + [patterns.one() for _ in range(CASES)]:
        assert classify(a) == model.classify(layout, a), hex(a)
