"""The native engine's floating point against softfloat's integers: results and flags, any mode.

There is nothing it leaves to the plain engine but modes that are none.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from float_model import DOUBLE, NX, SINGLE, Layout
from float_operands import LONG, Patterns, corners, few, pairs
from hypothesis import given
from hypothesis import strategies as st
from native_float_library import COMPILERS, FUNCTIONS, Function, Library

from minion.hart.isa.floating import BOX

pytestmark = pytest.mark.needs("gcc")

CASES = 100_000 if LONG else 3_000
"""Per function; each in every mode."""
ANY_FLAGS = (0, NX, NX, 2, 16, 31)
"""What was raised before: with NX, exactness does not matter."""
EDGES = [(1 << n) + i for n in (0, 23, 24, 25, 31, 32, 52, 53, 54, 63) for i in range(-2, 3)]


@pytest.fixture(scope="module", params=COMPILERS)
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("native_float"), request.param, [])


def cases(function: Function) -> list[tuple[int, ...]]:
    layout, arity = function.layout, function.arity
    patterns = Patterns(layout or DOUBLE, len(function.name))
    if layout is None:
        edges = [(sign * edge % 2**64,) for edge in EDGES for sign in (1, -1)]
        return [*edges, *((patterns.integer(),) for _ in range(4 * CASES))]
    found: list[tuple[int, ...]]
    if arity == 1:
        values = [*corners(layout), *near_integers(layout), *near_singles(layout)]
        found = [(a,) for a in (*values, *(patterns.one() for _ in range(4 * CASES)))]
    elif arity == 2:
        found = [*pairs(corners(layout)), *(patterns.two() for _ in range(CASES))]
        found += exact(patterns, CASES) + largest(layout)
    else:
        some = corners(layout)[::2] if LONG else few(layout)[::2]
        found = [(a, b, c) for a, b in pairs(some) for c in some]
        found += list(patterns.stream(4 * CASES))
    return [tuple(BOX | a for a in case) for case in found] if layout is SINGLE else found


def near_integers(layout: Layout) -> list[int]:
    """And halfway between them, and near their limits."""
    fields = [layout.bias + n for n in (-1, 0, 1, 22, 23, 29, 30, 31, 32, 51, 52, 62, 63, 64)]
    found = [field + i for field in fields for i in (0, 1)]
    found = [field << layout.fraction_bits for field in found]
    half = 1 << layout.fraction_bits - 1
    found += [bits + i * half // 2 for bits in found for i in (1, 2, 3)]
    found += [bits + i for bits in found for i in (-1, 1)]
    return found + [bits | layout.zero(True) for bits in found]


def near_singles(layout: Layout) -> list[int]:
    """Doubles near singles, and halfway between them."""
    if layout is SINGLE:
        return []
    patterns, half = Patterns(layout, 8), 1 << 52 - 23 - 1
    near = [patterns.one() & -2 * half for _ in range(2 * CASES)]
    fields = (DOUBLE.bias + n << 52 for n in (-150, -149, -127, -126, -125, 126, 127, 128))
    near += [field + k * half for field in fields for k in range(-4, 5)]
    return [bits + i for bits in near for i in (0, half, half - 1, half + 1)]


def largest(layout: Layout) -> list[tuple[int, ...]]:
    """And some halves of its last place: Knuth's error of a sum overflows, one way round."""
    last = (layout.infinity(False) >> layout.fraction_bits) - 1 - layout.fraction_bits
    halves = [last + n << layout.fraction_bits for n in range(-2, 5)]
    some = [bits + (i << layout.fraction_bits - 3) for bits in halves for i in range(8)]
    some += [bits | layout.zero(True) for bits in some]
    ends = [layout.infinity(sign) - n for sign in (False, True) for n in (1, 2)]
    return [pair for a in some for b in ends for pair in ((a, b), (b, a))]


def exact(patterns: Patterns, count: int) -> list[tuple[int, ...]]:
    """Operands of few bits: sums, products and quotients of theirs are often exact."""
    layout, random = patterns.layout, patterns.random
    cut = layout.fraction_bits - 6

    def short() -> int:
        return patterns.one() >> cut << cut

    def near_one() -> int:
        return layout.bias + random.randint(-2, 2) << layout.fraction_bits | (
            random.getrandbits(6) << cut
        )

    def half() -> int:
        """Their products fit just so, or just not."""
        shift = layout.fraction_bits // 2 + random.randint(-1, 2)
        return near_one() & -1 << layout.fraction_bits | (
            random.getrandbits(layout.fraction_bits) >> shift << shift
        )

    kinds = (near_one, short, half)
    return [(kind(), kind()) for _ in range(count // 3) for kind in kinds]


def compare(library: Library, function: Function, found: list[tuple[int, ...]]) -> None:
    call, wanted = library.caller(function.name), function.wanted
    modes = range(5 if function.rounds else 1)
    for number, operands in enumerate(found):
        for rm in modes:
            flags = ANY_FLAGS[(number + rm) % len(ANY_FLAGS)] if rm else (0, NX)[number % 2]
            got = call(operands, rm, flags)
            assert got == wanted(operands, rm, flags), (
                f"{function.name} {[hex(a) for a in operands]} mode {rm} flags {flags}"
            )
            assert got[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_softfloat(library: Library, name: str) -> None:
    compare(library, FUNCTIONS[name], cases(FUNCTIONS[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "sqrt"])
@pytest.mark.parametrize(("prefix", "layout"), [("f64", DOUBLE), ("f32", SINGLE)])
def test_what_is_exact(library: Library, prefix: str, layout: Layout, name: str) -> None:
    """To nearest, without NX before: whether it is raised."""
    function = FUNCTIONS[f"{prefix}_{name}"]
    call, box = library.caller(function.name), BOX if layout is SINGLE else 0
    kinds = set()
    for case in exact(Patterns(layout, 3), 4 * CASES):
        operands = tuple(box | a for a in case[: function.arity])
        got = call(operands, 0, 0)
        assert got == function.wanted(operands, 0, 0), f"{name} {[hex(a) for a in operands]}"
        kinds.add(got[2])
    assert {0, NX} <= kinds


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name.startswith("f32")])
def test_in_no_box(library: Library, name: str) -> None:
    function = FUNCTIONS[name]
    if function.layout is None:
        return
    one, two = (SINGLE.bias + n << SINGLE.fraction_bits for n in (0, 1))
    some = [BOX | one, one, BOX - 1, BOX - (1 << 32) | two, 0, SINGLE.nan, BOX | SINGLE.nan]
    compare(library, function, [(a, b, c)[: function.arity] for a, b in pairs(some) for c in some])


@pytest.mark.parametrize("name", [name for name, f in FUNCTIONS.items() if f.rounds])
def test_modes_that_are_none(library: Library, name: str) -> None:
    """It says so, and has changed nothing."""
    function = FUNCTIONS[name]
    some = corners(DOUBLE)[::9] if function.layout is DOUBLE else [0, 1, BOX | 3 << 22, BOX | 1]
    for a in some:
        for rm in (5, 6, 7, 8, 2**31):
            for flags in (0, NX):
                operands = (a, some[1], some[2])[: function.arity]
                got = library.caller(name)(operands, rm, flags)
                assert got == function.wanted(operands, rm, flags)
                assert not got[0]


def test_this_host_is_sound(library: Library) -> None:
    assert library.sound()


words = st.integers(0, 2**64 - 1)
registers = words | words.map(lambda a: BOX | a) | st.sampled_from(corners(DOUBLE))


@pytest.mark.slow
@given(
    name=st.sampled_from(list(FUNCTIONS)),
    a=registers,
    b=registers,
    c=registers,
    rm=st.integers(0, 4),
    flags=st.integers(0, 31),
)
def test_any_registers(
    library: Library, name: str, a: int, b: int, c: int, rm: int, flags: int
) -> None:
    function = FUNCTIONS[name]
    operands = (a, b, c)[: function.arity]
    got = library.caller(name)(operands, rm, flags)
    assert got == function.wanted(operands, rm, flags)


@pytest.mark.slow
@pytest.mark.skipif(not LONG, reason="only in the long campaign (MINION_LONG)")
@pytest.mark.parametrize(
    "options",
    [["-O3", "-march=native"], ["-O1", "-fsanitize=undefined", "-fno-sanitize-recover"]],
    ids=["fused", "sanitized"],
)
def test_otherwise_compiled(options: list[str], tmp_path: Path) -> None:
    library = Library(tmp_path, COMPILERS[0], options)
    for function in FUNCTIONS.values():
        compare(library, function, cases(function)[::8])
