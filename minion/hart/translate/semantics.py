"""The semantics' own source, evaluated on expressions instead of numbers.

Theory of operation.  A semantics function is straight code on h.x, h.f, h.load and h.store.
`inline` goes through its syntax tree with the operands of one decoded instruction as constants;
what the function reads becomes expressions, what it does becomes calls of a Machine, which writes
the source of a block.  A function with anything else in it is Opaque: it is not inlined.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from functools import cache
from types import FunctionType
from typing import Final, NamedTuple, Protocol

from minion.hart.isa import Semantics
from minion.hart.translate import fold
from minion.hart.translate.node import Expr, const, text

BINARY: Final[dict[type[ast.AST], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%", ast.LShift: "<<",
    ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.Lt: "<", ast.LtE: "<=",
    ast.Eq: "==", ast.NotEq: "!=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
HART: Final = "h"


class Opaque(Exception):
    """A function is more than can be inlined."""


class NoSource(Exception):
    """The source of the semantics is not there: the interpreter does without."""


class Machine(Protocol):
    def read(self, file: str, number: int) -> Expr:
        """A register of the file "x" or "f"."""

    def write(self, file: str, number: int, value: Expr) -> None: ...

    def load(self, addr: Expr, size: int) -> Expr: ...

    def store(self, addr: Expr, size: int, value: Expr) -> None: ...

    def call(self, function: object, arguments: list[Expr]) -> Expr:
        """What a function, or the source of one, returns."""

    def keep(self, value: Expr) -> Expr:
        """The same value, computed now."""

    def set_bits(self, attribute: str, bits: Expr) -> None:
        """h.attribute |= bits."""


class Jump(NamedTuple):
    """How an instruction ends: on a condition (a constant, if always) at a target."""

    condition: Expr
    target: Expr


class Definition(NamedTuple):
    tree: ast.FunctionDef
    parameters: tuple[str, ...]
    reads: tuple[tuple[str, int], ...]
    """Registers: the file, and which parameter is the number."""
    writes: tuple[tuple[str, int], ...]
    uses: dict[str, int]
    """How often each name is read."""


@cache
def functions_of(module: str) -> dict[int, ast.FunctionDef]:
    """By line."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, KeyError) as error:
        raise NoSource(
            f"the translator needs the source of {module}, which is not there: "
            "use the interpreter (--engine interpreter)"
        ) from error
    return {node.lineno: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@cache
def definition(function: Semantics) -> Definition:
    """Raises NoSource."""
    if not isinstance(function, FunctionType):
        raise NoSource(f"{function!r} is compiled: use the interpreter (--engine interpreter)")
    code = function.__code__
    tree = functions_of(function.__module__).get(code.co_firstlineno)
    if tree is None or tree.name != code.co_name:
        raise NoSource(f"the source of {function.__module__} is not what runs")
    parameters = tuple([arg.arg for arg in tree.args.args])
    reads: list[tuple[str, int]] = []
    writes: list[tuple[str, int]] = []
    uses: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] = uses.get(node.id, 0) + 1
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
            place = node.slice
            if isinstance(place, ast.Name) and place.id in parameters:
                found = node.value.attr, parameters.index(place.id)
                (reads if isinstance(node.ctx, ast.Load) else writes).append(found)
    return Definition(tree, parameters, tuple(reads), tuple(writes), uses)


def free_names(function: Semantics) -> dict[str, object]:
    """What the names in it that are neither parameters nor its own mean."""
    assert isinstance(function, FunctionType)
    known: dict[str, object] = vars(builtins) | function.__globals__
    cells = function.__closure__ or ()
    return known | {
        name: cell.cell_contents
        for name, cell in zip(function.__code__.co_freevars, cells, strict=True)
    }


class Inliner:
    """One instruction: a function and its operands."""

    def __init__(self, function: Semantics, operands: tuple[int, ...], machine: Machine) -> None:
        self._definition = definition(function)
        self._function = function
        self._machine = machine
        names = self._definition.parameters
        self._locals: dict[str, Expr] = {
            name: const(value) for name, value in zip(names[1:], operands, strict=True)
        }
        self._free: dict[str, object] | None = None

    def run(self) -> Jump | None:
        """Raises Opaque; what the machine has been told by then is to be forgotten."""
        for statement in self._definition.tree.body:
            match statement:
                case ast.Expr(ast.Constant()):
                    pass
                case ast.Expr(ast.Call() as call):
                    self._call(call)
                case ast.Assign([ast.Name(name)], value):
                    self._locals[name] = self._assigned(name, value)
                case ast.Assign([ast.Subscript() as place], value):
                    self._write(place, self._value(value))
                case ast.AugAssign(ast.Attribute(ast.Name("h"), name), ast.BitOr(), value):
                    self._machine.set_bits(name, self._value(value))
                case ast.Return(value) if value is not None:
                    return self._jump(value)
                case _:
                    raise Opaque(ast.unparse(statement))
        return None

    def _assigned(self, name: str, value: ast.expr) -> Expr:
        result = self._value(value)
        return self._machine.keep(result) if self._definition.uses.get(name, 0) > 1 else result

    def _write(self, place: ast.Subscript, value: Expr) -> None:
        file, number = self._register(place)
        for name, held in self._locals.items():  # computed from what is about to change
            if any(leaf.text == f"{file}{number}" for leaf in held.leaves()):
                self._locals[name] = self._machine.keep(held)
        self._machine.write(file, number, value)

    def _register(self, place: ast.Subscript) -> tuple[str, int]:
        match place.value:
            case ast.Attribute(ast.Name("h"), ("x" | "f") as file):
                number = self._value(place.slice)
                if number.constant:
                    return file, number.lo
        raise Opaque(ast.unparse(place))

    def _jump(self, value: ast.expr) -> Jump:
        match value:
            case ast.IfExp(test, target, ast.Constant(None)):
                return Jump(self._condition(test), self._value(target))
        return Jump(const(1), self._value(value))

    def _condition(self, test: ast.expr) -> Expr:
        value = self._value(test)
        if value.op in fold.CONDITIONS or value.constant:
            return value
        return fold.binary("!=", value, const(0))

    def _value(self, e: ast.expr) -> Expr:
        match e:
            case ast.Constant(int(value)):
                return const(value)
            case ast.Name(name):
                return self._name(name)
            case ast.Subscript():
                return self._machine.read(*self._register(e))
            case ast.BinOp(a, op, b):
                return fold.binary(BINARY[type(op)], self._value(a), self._value(b))
            case ast.Compare(a, [op], [b]) if type(op) in BINARY:
                return fold.binary(BINARY[type(op)], self._value(a), self._value(b))
            case ast.UnaryOp(ast.USub(), a):
                return fold.negative(self._value(a))
            case ast.UnaryOp(ast.Invert(), a):
                return fold.inverse(self._value(a))
            case ast.IfExp():
                return self._choice(e)
            case ast.Call():
                return self._call(e)
            case ast.Attribute(ast.Name("h"), attribute):
                return text(f"h.{attribute}")
        raise Opaque(ast.unparse(e))

    def _choice(self, e: ast.IfExp) -> Expr:
        """Both sides are evaluated by us, so neither may do anything."""
        condition = self._condition(e.test)
        if condition.constant:
            return self._value(e.body if condition.lo else e.orelse)
        for side in (e.body, e.orelse):
            if any(isinstance(n, ast.Call) and not simple(n) for n in ast.walk(side)):
                raise Opaque(ast.unparse(e))
        return fold.choice(condition, self._value(e.body), self._value(e.orelse))

    def _name(self, name: str) -> Expr:
        found = self._locals.get(name)
        if found is not None:
            return found
        if name == HART:
            return text(HART)
        value = self._global(name)
        if isinstance(value, int):
            return const(int(value))
        raise Opaque(name)

    def _global(self, name: str) -> object:
        if self._free is None:
            self._free = free_names(self._function)
        return self._free.get(name)

    def _call(self, e: ast.Call) -> Expr:
        arguments = [self._value(arg) for arg in e.args]
        match e.func:
            case ast.Attribute(ast.Name("h"), "load"):
                addr, size = arguments
                return self._machine.load(addr, size.lo)
            case ast.Attribute(ast.Name("h"), "store"):
                addr, size, value = arguments
                self._machine.store(addr, size.lo, value)
                return const(0)
            case ast.Attribute(ast.Attribute(ast.Name("h")), _):
                return self._machine.call(ast.unparse(e.func), arguments)
            case ast.Name("abs"):
                return fold.absolute(arguments[0])
            case ast.Name(name):
                function = self._global(name)
                if callable(function):
                    return self._machine.call(function, arguments)
        raise Opaque(ast.unparse(e))


def simple(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "abs"


def inline(function: Semantics, operands: tuple[int, ...], machine: Machine) -> Jump | None:
    return Inliner(function, operands, machine).run()
