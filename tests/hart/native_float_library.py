"""minion/hart/native/floating.h as a library of its own, with what each function is to answer."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cffi
from float_model import DOUBLE, SINGLE, Layout

import minion.hart
from minion.hart.isa import floating
from minion.hart.isa.floating import BOX
from minion.hart.softfloat import addition, comparison, conversion, division, multiplication
from minion.hart.softfloat.format import F32, F64, Format
from minion.hart.trap import Trap

FOLDER = Path(minion.hart.__file__).parent / "native"
OPTIONS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)] or ["gcc"]
LIMITS = {
    "i32": (-(2**31), 2**31 - 1),
    "u32": (0, 2**32 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "u64": (0, 2**64 - 1),
}
UNTOUCHED = 0x5EED
WORD = 2**64 - 1

Answer = tuple[bool, int, int]
"""Whether it was done, the result and the flags."""

Exact = Callable[..., int]
"""(environment, operands...)"""


class Env:
    fflags = 0


class Function(NamedTuple):
    name: str
    arity: int
    layout: Layout | None
    """Of the operands; None where it is an integer."""
    rounds: bool
    exact: Exact
    """Of registers, by softfloat's integers; where it rounds, the mode is its last operand."""
    signed: bool = False

    def wanted(self, operands: tuple[int, ...], rm: int, flags: int) -> Answer:
        env = Env()
        env.fflags = flags
        if self.signed:
            operands = tuple((a ^ 2**63) - 2**63 for a in operands)
        try:
            found = self.exact(env, *operands, *((rm,) if self.rounds else ()))
        except Trap:
            return False, UNTOUCHED, flags
        return True, found & WORD, env.fflags


def functions() -> list[Function]:
    return [*of_format("f64", F64, DOUBLE, 0), *of_format("f32", F32, SINGLE, BOX), *between()]


def of_format(prefix: str, fmt: Format, layout: Layout, box: int) -> list[Function]:
    add, sub = addition.addition(fmt), addition.subtraction(fmt)
    mul, div = multiplication.multiplication(fmt), division.division(fmt)
    fma, root = multiplication.fused(fmt), division.square_root(fmt)
    found = [
        Function(f"{prefix}_{name}", 2, layout, True, floating.binary(operation, box))
        for name, operation in (("add", add), ("sub", sub), ("mul", mul), ("div", div))
    ]
    found += [
        Function(f"{prefix}_sqrt", 1, layout, True, floating.unary(root, box, box)),
        Function(f"{prefix}_fma", 3, layout, True, floating.ternary(fma, box)),
    ]
    for name, make in (
        ("eq", comparison.equal),
        ("lt", comparison.less),
        ("le", comparison.less_equal),
        ("min", comparison.minimum),
        ("max", comparison.maximum),
    ):
        compare = make(fmt)
        if box:
            compare = floating.compare(compare, box if name in ("min", "max") else 0)
        found.append(Function(f"{prefix}_{name}", 2, layout, False, compare))
    for name, (low, high) in LIMITS.items():
        to_integer = floating.unary(conversion.to_integer(fmt, low, high), box)
        found.append(Function(f"{prefix}_to_{name}", 1, layout, True, to_integer))
    from_integer = floating.integral(conversion.from_integer(fmt), box)
    found.append(Function(f"{prefix}_from_i64", 1, None, True, from_integer, signed=True))
    found.append(Function(f"{prefix}_from_u64", 1, None, True, from_integer))
    found.append(Function(f"{prefix}_classify", 1, layout, False, classification(fmt, box)))
    return found


def classification(fmt: Format, box: int) -> Exact:
    classify = comparison.classify(fmt)

    def exact(_env: Env, a: int) -> int:
        return classify(a - box if a >= box else fmt.default_nan)

    return exact


def between() -> list[Function]:
    widen = floating.unary(conversion.between(F32, F64), BOX)
    narrow = floating.unary(conversion.between(F64, F32), result_box=BOX)
    return [
        Function("f32_to_f64", 1, SINGLE, True, widen),
        Function("f64_to_f32", 1, DOUBLE, True, narrow),
    ]


FUNCTIONS = {function.name: function for function in functions()}
LETTERS = "abc"


def exported(function: Function) -> tuple[str, str]:
    """A declaration, without the semicolon, and a body."""
    operands = LETTERS[: function.arity]
    words = [f"uint64_t {letter}" for letter in operands]
    declared = ", ".join([*words, "unsigned rm", "uint64_t *result", "unsigned *flags"])
    passed = ", ".join([*operands, *(["rm"] if function.rounds else []), "result", "flags"])
    if function.name.endswith("classify"):
        body = f"(void)rm, (void)flags; *result = {function.name}(a); return true;"
    else:
        body = f"(void)rm; return {function.name}({passed});"
    return f"bool test_{function.name}({declared})", body


class Library:
    def __init__(self, folder: Path, compiler: str, options: list[str]) -> None:
        exports = [exported(function) for function in FUNCTIONS.values()]
        exports.append(("bool sound(void)", "return fp_host_is_sound();"))
        source, library = folder / "floating.c", folder / "floating.so"
        bodies = [f"{declaration} {{ {body} }}\n" for declaration, body in exports]
        source.write_text('#include "floating.h"\n' + "".join(bodies))
        command = [compiler, *OPTIONS, *options, "-I", str(FOLDER), str(source), "-lm"]
        subprocess.run([*command, "-o", str(library)], check=True)
        self.ffi = cffi.FFI()
        self.ffi.cdef("".join(f"{declaration};\n" for declaration, _ in exports))
        self.lib = self.ffi.dlopen(str(library))
        self.sound: Callable[[], bool] = self.function("sound")
        self.result = self.ffi.new("uint64_t *")
        self.flags = self.ffi.new("unsigned *")

    def function(self, name: str) -> Callable[..., bool]:
        function: Callable[..., bool] = getattr(self.lib, name)
        return function

    def caller(self, name: str) -> Callable[[tuple[int, ...], int, int], Answer]:
        function, result, flags = self.function(f"test_{name}"), self.result, self.flags

        def call(operands: tuple[int, ...], rm: int, raised: int) -> Answer:
            result[0], flags[0] = UNTOUCHED, raised
            return function(*operands, rm, result, flags), result[0], flags[0]

        return call
