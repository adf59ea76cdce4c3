"""softfloat against the host's FPU, results and flags, in the four modes that C knows."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest
from float_model import DOUBLE, NX, RNE, SINGLE, Layout
from float_operands import LONG, Patterns, corners, pairs
from float_streams import Block, ask, padded

from minion.hart.softfloat import addition, comparison, conversion, division, multiplication
from minion.hart.softfloat.format import F32, F64

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("gcc"),
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="only x86-64 detects tininess after rounding"
    ),
]
MODES = 4
CASES = 200_000 if LONG else 4_000
"""Per operation and mode."""
FACTORIES = {
    "add": addition.addition,
    "sub": addition.subtraction,
    "mul": multiplication.multiplication,
    "div": division.division,
    "sqrt": division.square_root,
    "fma": multiplication.fused,
    "eq": comparison.equal,
    "lt": comparison.less,
    "le": comparison.less_equal,
}
INT64 = (-(2**63), 2**63 - 1)
FUNCTIONS: dict[str, Callable[..., int]] = {
    "to_s": conversion.between(F64, F32),
    "to_d": conversion.between(F32, F64),
    "int_d": conversion.to_integer(F64, *INT64),
    "int_s": conversion.to_integer(F32, *INT64),
    "from_int_d": conversion.from_integer(F64),
    "from_int_s": conversion.from_integer(F32),
} | {
    f"{name}_{letter}": factory(fmt)
    for name, factory in FACTORIES.items()
    for letter, fmt in (("s", F32), ("d", F64))
}
ARITY = {"sqrt": 1, "int": 1, "from": 1, "to": 1, "fma": 3}


class Env:
    fflags = 0


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> str:
    program = tmp_path_factory.mktemp("oracle") / "float_host"
    source = Path(__file__).with_name("float_host.c")
    options = ["-O1", "-frounding-math", "-ffp-contract=off", "-Wno-unknown-pragmas"]
    if " fma " in Path("/proc/cpuinfo").read_text():
        options.append("-mfma")
    subprocess.run(["gcc", *options, source, "-lm", "-o", program], check=True)
    return str(program)


def layouts(name: str) -> tuple[Layout, Layout | None]:
    """Of operands and result; an integer has none."""
    if name in ("to_s", "to_d"):
        return (DOUBLE, SINGLE) if name == "to_s" else (SINGLE, DOUBLE)
    layout = DOUBLE if name.endswith("_d") else SINGLE
    return layout, layout if name.split("_")[0] not in ("eq", "lt", "le", "int") else None


def cases(name: str, arity: int, seed: int) -> list[tuple[int, int, int]]:
    layout = layouts(name)[0]
    patterns = Patterns(layout, seed)
    if name.startswith("from_int"):
        return padded((patterns.integer(),) for _ in range(CASES))
    if arity == 1:
        return padded([(a,) for a in corners(layout)] + [(patterns.one(),) for _ in range(CASES)])
    if arity == 2:
        return padded(pairs(corners(layout)) + [patterns.two() for _ in range(CASES)])
    some = corners(layout) if LONG else corners(layout)[::4]
    return [(a, b, c) for a, b in pairs(some) for c in some] + list(patterns.stream(CASES))


def unlike(name: str, operands: tuple[int, ...], wanted: int) -> bool:
    """Where C and RISC-V differ: integers out of range, and 0 * infinity + a quiet NaN."""
    layout = layouts(name)[0]
    if name.startswith("int_"):
        return wanted == 2**63  # what x86 answers when there is none
    if name.startswith("fma"):
        a, b, c = map(layout.value, operands)
        return c is None and a is not None and b is not None and {abs(a), abs(b)} == {0, inf}
    return False


@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_the_fpu_does(oracle: str, name: str) -> None:
    listing = subprocess.run([oracle, "names"], stdout=subprocess.PIPE, text=True, check=True)
    operation = listing.stdout.split().index(name)
    function, arity = FUNCTIONS[name], ARITY.get(name.split("_")[0], 2)
    rounds = name.split("_")[0] not in ("eq", "lt", "le")
    blocks = [Block(operation, rm, cases(name, arity, rm)) for rm in range(MODES)]
    for block, found in zip(blocks, ask([oracle], blocks, 2), strict=True):
        last = (block.mode,) if rounds else ()
        for case, (wanted, flags) in zip(block.cases, found, strict=True):
            operands = case[:arity]
            if not unlike(name, operands, wanted):
                env = Env()
                got = function(env, *signed(name, operands), *last)
                text = f"{[hex(x) for x in operands]} mode {block.mode}"
                assert (got & 2**64 - 1, env.fflags) == (canonical(name, wanted), flags), text


def signed(name: str, operands: tuple[int, ...]) -> tuple[int, ...]:
    if name.startswith("from_int"):
        return tuple((a ^ 2**63) - 2**63 for a in operands)
    return operands


def canonical(name: str, bits: int) -> int:
    """The host keeps payloads and makes negative NaNs."""
    layout = layouts(name)[1]
    return layout.nan if layout and layout.value(bits) is None else bits


@pytest.mark.parametrize(("name", "layout"), [("mul_d", DOUBLE), ("mul_s", SINGLE)])
def test_the_fpu_detects_tininess_after_rounding(oracle: str, name: str, layout: Layout) -> None:
    """(1 - e) * (1 + e) times the least normal number is less than that, and rounds to it."""
    listing = subprocess.run([oracle, "names"], stdout=subprocess.PIPE, text=True, check=True)
    one, least = layout.bias << layout.fraction_bits, 1 << layout.fraction_bits
    block = Block(listing.stdout.split().index(name), RNE, [(one - 2, least + 1, 0)])
    ((answer,),) = ask([oracle], [block], 2)
    assert tuple(answer) == (least, NX)
