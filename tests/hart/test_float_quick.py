"""The host's doubles against the integers: the same results and flags, whenever they answer."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import ModuleType

import pytest
from float_model import DOUBLE, SINGLE
from float_operands import LONG, Patterns, corners, few, pairs

from minion.hart.isa import floating, rv_d, rv_f
from minion.hart.softfloat import conversion, host, host_single
from minion.hart.softfloat.format import F32, F64, NX, RNE

CASES = 200_000 if LONG else 4_000
BOX = 0xFFFF_FFFF << 32
INT32, UINT32 = (-(2**31), 2**31 - 1), (0, 2**32 - 1)
INT64, UINT64 = (-(2**63), 2**63 - 1), (0, 2**64 - 1)

Function = Callable[..., int]


class Env:
    fflags = 0


def both(
    make: Callable[[], Function], monkeypatch: pytest.MonkeyPatch
) -> tuple[Function, Function]:
    """An operation with the host's doubles and one without."""
    with monkeypatch.context() as patch:
        patch.setattr(floating, "QUICK", True)
        quick = make()
        patch.setattr(floating, "QUICK", False)
        return quick, make()


def compare(quick: Function, slow: Function, operands: tuple[int, ...], modes: range) -> None:
    for rm in modes:
        for flags in (NX, 0):
            quick_env, slow_env = Env(), Env()
            quick_env.fflags = slow_env.fflags = flags
            found = quick(quick_env, *operands, rm), quick_env.fflags
            wanted = slow(slow_env, *operands, rm), slow_env.fflags
            assert found == wanted, f"{[hex(x) for x in operands]} mode {rm} flags {flags}"


def cases(single: bool, arity: int) -> list[tuple[int, ...]]:
    layout = SINGLE if single else DOUBLE
    patterns = Patterns(layout, arity)
    if arity == 1:
        found = [(a,) for a in corners(layout)] + [(patterns.one(),) for _ in range(CASES)]
    elif arity == 2:
        found = [*pairs(corners(layout)), *(patterns.two() for _ in range(CASES))]
    else:
        some = corners(layout) if LONG else few(layout)[::2]
        found = [(a, b, c) for a, b in pairs(some) for c in some]
        found += [patterns.three() for _ in range(4 * CASES)]
    return [tuple(BOX | a for a in case) for case in found] if single else found


def test_this_host_is_sound() -> None:
    assert host.sound()


@pytest.mark.slow
@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
@pytest.mark.parametrize(
    ("name", "arity"), [("add", 2), ("sub", 2), ("mul", 2), ("div", 2), ("sqrt", 1), ("fma", 3)]
)
def test_arithmetic(single: bool, name: str, arity: int, monkeypatch: pytest.MonkeyPatch) -> None:
    make = floating.singles if single else floating.doubles
    quick, slow = both(lambda: getattr(make(), name), monkeypatch)
    for number, operands in enumerate(cases(single, arity)):
        compare(quick, slow, operands, range(1) if number % 8 else range(5))


@pytest.mark.parametrize("limits", [INT32, UINT32, INT64, UINT64])
@pytest.mark.parametrize("single", [False, True], ids=["double", "single"])
def test_to_integers(
    single: bool, limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, slow = both(lambda: (rv_f if single else rv_d).to_integer(*limits), monkeypatch)
    for operands in cases(single, 1):
        compare(quick, slow, operands, range(5))


@pytest.mark.parametrize("module", [rv_f, rv_d])
def test_from_integers(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = both(module.from_integer, monkeypatch)
    patterns = Patterns(DOUBLE, 7)
    edges = [1 << n for n in (0, 24, 31, 32, 53, 63)]
    integers = [edge + i for edge in edges for i in (-2, -1, 0, 1, 2)]
    for n in integers + [patterns.integer() for _ in range(CASES)]:
        compare(quick, slow, (n,), range(5))
        compare(quick, slow, (-n,), range(5))


def test_single_to_double(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = both(rv_d.to_double, monkeypatch)
    for operands in cases(True, 1):
        compare(quick, slow, operands, range(5))


def test_double_to_single(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of doubles near singles, and halfway between them."""
    quick, slow = both(rv_d.to_single, monkeypatch)
    widen, patterns = conversion.between(F32, F64), Patterns(SINGLE, 8)
    half = 1 << 52 - 23 - 1
    offsets = (0, 1, -1, half, half + 1, half - 1, -half)
    near = [widen(Env(), patterns.one(), RNE) for _ in range(CASES)]
    near = [bits + patterns.random.choice(offsets) & (1 << 64) - 1 for bits in near]
    for operands in [*cases(False, 1), *((bits,) for bits in near)]:
        compare(quick, slow, operands, range(5))


def never(*_args: object) -> int:
    raise AssertionError("slow")


@pytest.mark.parametrize("module", [host, host_single])
def test_everyday_numbers_are_quick(module: ModuleType) -> None:
    single = module is host_single
    random, env = Random(9), Env()
    env.fflags = NX
    layout = SINGLE if single else DOUBLE
    one, top = layout.bias << layout.fraction_bits, 1 << layout.fraction_bits
    for _ in range(500):
        a, b, c = (one + random.randrange(-8 * top, 8 * top) for _ in range(3))
        if single:
            a, b, c = BOX | a, BOX | b, BOX | c
        for name in ("addition", "subtraction", "multiplication", "division"):
            getattr(module, name)(never)(env, a, b, RNE)
        module.square_root(never)(env, a, RNE)
        module.fused(never)(env, a, b, c, RNE)
    assert env.fflags == NX
