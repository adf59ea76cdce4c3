"""Folding and rendering: whatever is built, its source computes the same, within its range."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from minion.hart.translate import fold
from minion.hart.translate.node import UNBOUNDED, Expr, const, name
from minion.hart.translate.render import Renderer

W = (1 << 32) - 1
MASK = (1 << 64) - 1
VALUES = st.one_of(
    st.integers(0, 300),
    st.sampled_from([n + d for n in (1 << 31, 1 << 32, 1 << 63, MASK) for d in (-2, -1, 0)]),
    st.integers(0, MASK),
)
Pair = tuple[Expr, int]
"""An expression, and what it must be for the values of this example."""


@st.composite
def leaves(draw: st.DrawFn, values: dict[str, int]) -> Pair:
    if draw(st.booleans()):
        value = draw(st.one_of(st.integers(-2048, 2047), st.sampled_from([W, MASK, 1 << 63])))
        return const(value), value
    variable = f"x{draw(st.integers(1, 3))}"
    value = values.setdefault(variable, draw(VALUES))
    high = draw(st.sampled_from([value, max(value, W), MASK]))
    return name(variable, draw(st.sampled_from([0, value])), high), value


def binary(op: str) -> Callable[[Pair, Pair], Pair]:
    def apply(a: Pair, b: Pair) -> Pair:
        return fold.binary(op, a[0], b[0]), int(eval(f"a {op} b", {"a": a[1], "b": b[1]}))

    return apply


def masked(mask: int) -> Callable[[Pair], Pair]:
    return lambda a: (fold.binary("&", a[0], const(mask)), a[1] & mask)


def shifted(op: str, by: int) -> Callable[[Pair], Pair]:
    return lambda a: binary(op)(a, (const(by), by))


def flipped(sign: int) -> Callable[[Pair], Pair]:
    return lambda a: (fold.binary("^", a[0], const(sign)), a[1] ^ sign)


def signed(sign: int) -> Callable[[Pair], Pair]:
    def apply(a: Pair) -> Pair:
        masked_a = masked(2 * sign - 1)(a)
        e = fold.binary("-", flipped(sign)(masked_a)[0], const(sign))
        return e, (masked_a[1] ^ sign) - sign

    return apply


def word(a: Pair) -> Pair:
    """As the instructions of RV64I that end in w do."""
    return masked(MASK)(signed(1 << 31)(a))


UNARY: list[Callable[[Pair], Pair]] = [
    *[masked(m) for m in (W, MASK, 0xFF, 0xFFFF, -8, 0xF0, MASK - 1)],
    *[shifted(op, n) for op in ("<<", ">>") for n in (0, 1, 8, 31, 32, 63)],
    *[signed(1 << n) for n in (7, 31, 63)],
    *[flipped(1 << n) for n in (31, 63)],
    lambda a: (fold.negative(a[0]), -a[1]),
    lambda a: (fold.inverse(a[0]), ~a[1]),
    lambda a: (fold.absolute(a[0]), abs(a[1])),
    word, word, masked(MASK), masked(W),
]  # fmt: skip
BINARY = [binary(op) for op in ("+", "-", "*", "&", "|", "^", "+", "-")]
COMPARE = [binary(op) for op in ("<", "<=", "==", "!=", ">", ">=")]


@st.composite
def trees(draw: st.DrawFn, values: dict[str, int], depth: int = 4) -> Pair:
    pick = draw(st.integers(0, 9)) if depth else 0
    if pick < 2:
        return draw(leaves(values))
    if pick < 6:
        return draw(st.sampled_from(UNARY))(draw(trees(values, depth - 1)))
    if pick < 8:
        a, b = draw(trees(values, depth - 1)), draw(trees(values, depth - 1))
        return draw(st.sampled_from(BINARY))(a, b)
    test = draw(conditions(values, depth - 1))
    a, b = draw(trees(values, depth - 1)), draw(trees(values, depth - 1))
    return fold.choice(test[0], a[0], b[0]), a[1] if test[1] else b[1]


@st.composite
def conditions(draw: st.DrawFn, values: dict[str, int], depth: int) -> Pair:
    a, b = draw(trees(values, depth)), draw(trees(values, depth))
    if draw(st.booleans()):  # as signed comparisons are written
        sign = 1 << draw(st.sampled_from([31, 63]))
        a = flipped(sign)(masked(2 * sign - 1)(a))
        if draw(st.booleans()):
            b = flipped(sign)(masked(2 * sign - 1)(b))
    test, truth = draw(st.sampled_from(COMPARE))(a, b)
    if draw(st.booleans()):
        return fold.negation(fold.condition(test)), not truth
    return fold.condition(test), truth


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.data())
def test_values(data: st.DataObject) -> None:
    values: dict[str, int] = {}
    e, value = data.draw(trees(values))
    assume(abs(value) <= UNBOUNDED)
    source = Renderer().text(e)
    assert eval(source, dict(values)) == value, source
    assert e.lo <= value <= e.hi, source


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_truths(data: st.DataObject) -> None:
    values: dict[str, int] = {}
    e, truth = data.draw(conditions(values, 2))
    source = Renderer().truth(e)
    assert bool(eval(source, dict(values))) == truth, source


@given(VALUES)
@example(1 << 31)
def test_what_folds_away(value: int) -> None:
    """The shapes that RV64 code is full of."""
    x = name("x1", 0, MASK)
    byte = name("x2", 0, 255)
    text = Renderer().text
    assert text(fold.binary("&", byte, const(MASK))) == "x2"
    assert text(word((byte, 0))[0]) == "x2"
    shifted_up = fold.binary("&", fold.binary("<<", x, const(32)), const(MASK))
    zero_extended = fold.binary(">>", shifted_up, const(32))
    assert same_values(text(zero_extended), value, value & W)
    assert "<<" not in text(zero_extended)
    flipped_x = fold.binary("^", x, const(1 << 63))
    negative = fold.binary("<", flipped_x, const(1 << 63))
    assert text(negative) == f"(x1 >= {1 << 63})"


def same_values(source: str, x: int, expected: int) -> bool:
    return bool(eval(source, {"x1": x}) == expected)
