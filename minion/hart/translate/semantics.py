"""The semantics' own source, turned into functions that write code instead of executing it.

Theory of operation.  A semantics function is straight code on h.x, h.f, h.load and h.store.  Its
syntax tree is rewritten once: registers, memory and calls become methods of a Machine, operators
the constructors of expressions.  Called with the operands of a decoded instruction, the result has
the machine write down what the instruction does.  A function with anything else in it is Opaque:
such instructions are left to the plain engine.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType
from typing import Final, NamedTuple, Protocol

from minion.hart.isa import Semantics
from minion.hart.translate import fold
from minion.hart.translate.node import Expr, const

Value = Expr | int
OPERATORS: Final[dict[type[ast.AST], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%", ast.LShift: "<<",
    ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.Lt: "<", ast.LtE: "<=",
    ast.Eq: "==", ast.NotEq: "!=", ast.Gt: ">", ast.GtE: ">=", ast.USub: "neg", ast.Invert: "~",
}  # fmt: skip


class Opaque(Exception):
    """A function is more than can be inlined."""


class NoSource(Exception):
    """The source of the semantics is not there: the interpreter does without."""


class Jump(NamedTuple):
    """How an instruction ends: on a condition (a constant, if always) at a target."""

    condition: Expr
    target: Expr


class Machine(Protocol):
    """What the rewritten functions are called with for h."""

    def read(self, file: str, number: int) -> Value:
        """A register of the file "x" or "f"."""

    def write(self, file: str, number: int, value: Value) -> None: ...

    def load(self, addr: Value, size: int) -> Expr: ...

    def store(self, addr: Value, size: int, value: Value) -> None: ...

    def call(self, function: object, arguments: list[object]) -> Expr:
        """What a function returns; or the method of h with such a name."""

    def keep(self, value: Value) -> Value:
        """The same value, computed now, for it is used more than once."""

    def hold(self, value: Value) -> Value:
        """The same value, whatever is written before it is used."""

    def attribute(self, name: str) -> Expr: ...

    def set_bits(self, name: str, bits: Value) -> None:
        """h.name |= bits."""


class Definition(NamedTuple):
    parameters: tuple[str, ...]
    """Without h."""
    reads: tuple[tuple[str, int], ...]
    """Registers: the file, and which operand is the number."""
    writes: tuple[tuple[str, int], ...]
    write: Callable[..., Jump | None]
    """Called with a machine and the operands."""


# -- what rewritten source calls


def binary(op: str, a: Value, b: Value) -> Value:
    if isinstance(a, int) and isinstance(b, int):
        return fold.calculate(op, a, b)
    result = fold.binary(op, expression(a), expression(b))
    return result.lo if result.constant else result


def unary(op: str, a: Value) -> Value:
    if isinstance(a, int):
        return -a if op == "neg" else ~a
    return fold.negative(a) if op == "neg" else fold.inverse(a)


def absolute(a: Value) -> Value:
    return abs(a) if isinstance(a, int) else fold.absolute(a)


def choice(test: Value, yes: Callable[[], Value], no: Callable[[], Value]) -> Value:
    condition = fold.condition(expression(test))
    if condition.constant:
        return yes() if condition.lo else no()
    return fold.choice(condition, expression(yes()), expression(no()))


def jump(test: Value, target: Value) -> Jump:
    return Jump(fold.condition(expression(test)), expression(target))


def expression(value: Value) -> Expr:
    return const(value) if isinstance(value, int) else value


HELPERS: Final[dict[str, object]] = {
    f"{function.__name__}_": function for function in (binary, unary, absolute, choice, jump)
}


# -- rewriting


def calling(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])


def method(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name("h", ast.Load()), name, ast.Load()), list(arguments), [])


class Rewriter:
    """Statements and expressions of one function."""

    def __init__(self, tree: ast.FunctionDef) -> None:
        self._tree = tree

    def body(self) -> list[ast.stmt]:
        return [self._statement(n, s) for n, s in enumerate(self._tree.body)]

    def _statement(self, index: int, statement: ast.stmt) -> ast.stmt:
        match statement:
            case ast.Expr(ast.Constant()):
                return ast.Pass()
            case ast.Expr(ast.Call() as call):
                return ast.Expr(self._call(call))
            case ast.Assign([ast.Name(name)], value):
                new = self._value(value)
                new = self._assigned(name, index, new)
                return ast.Assign([ast.Name(name, ast.Store())], new)
            case ast.Assign([ast.Subscript(ast.Attribute(ast.Name("h"), file), at)], value):
                return ast.Expr(method("write", ast.Constant(file), at, self._value(value)))
            case ast.AugAssign(ast.Attribute(ast.Name("h"), name), ast.BitOr(), value):
                return ast.Expr(method("set_bits", ast.Constant(name), self._value(value)))
            case ast.Return(ast.IfExp(test, target, ast.Constant(None))):
                return ast.Return(calling("jump_", self._value(test), self._value(target)))
            case ast.Return(value) if value is not None:
                return ast.Return(calling("jump_", ast.Constant(1), self._value(value)))
        raise Opaque(ast.unparse(statement))

    def _assigned(self, name: str, index: int, value: ast.expr) -> ast.expr:
        used = [
            n for n, statement in enumerate(self._tree.body) for node in ast.walk(statement)
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        ]  # fmt: skip
        between = self._tree.body[index + 1 : max(used, default=0)]
        if any(isinstance(statement, ast.Assign) for statement in between):
            value = method("hold", value)
        return method("keep", value) if len(used) > 1 else value

    def _value(self, e: ast.expr) -> ast.expr:
        match e:
            case ast.Constant(int()) | ast.Name():
                return e
            case ast.Subscript(ast.Attribute(ast.Name("h"), ("x" | "f") as file), at):
                return method("read", ast.Constant(file), at)
            case ast.BinOp(a, op, b) if type(op) in OPERATORS:
                return self._operation("binary_", op, a, b)
            case ast.Compare(a, [op], [b]) if type(op) in OPERATORS:
                return self._operation("binary_", op, a, b)
            case ast.UnaryOp(op, a) if type(op) in OPERATORS:
                return self._operation("unary_", op, a)
            case ast.IfExp(test, yes, no) if not calls(yes) and not calls(no):
                sides = [lazily(self._value(side)) for side in (yes, no)]
                return calling("choice_", self._value(test), *sides)
            case ast.Call():
                return self._call(e)
            case ast.Attribute(ast.Name("h"), ("frm" | "fflags") as name):
                return method("attribute", ast.Constant(name))
        raise Opaque(ast.unparse(e))

    def _operation(self, function: str, op: ast.AST, *operands: ast.expr) -> ast.expr:
        values = [self._value(operand) for operand in operands]
        return calling(function, ast.Constant(OPERATORS[type(op)]), *values)

    def _call(self, e: ast.Call) -> ast.Call:
        arguments = [self._value(arg) for arg in e.args]
        match e.func:
            case ast.Attribute(ast.Name("h"), ("load" | "store") as name):
                return method(name, *arguments)
            case ast.Attribute(ast.Attribute(ast.Name("h"))):
                function: ast.expr = ast.Constant(ast.unparse(e.func))
            case ast.Name("abs"):
                return calling("absolute_", *arguments)
            case ast.Name():
                function = e.func
            case _:
                raise Opaque(ast.unparse(e))
        return method("call", function, ast.List(arguments, ast.Load()))


def calls(e: ast.expr) -> bool:
    """Whether it may do something."""
    return any(isinstance(n, ast.Call) and ast.unparse(n.func) != "abs" for n in ast.walk(e))


def lazily(e: ast.expr) -> ast.expr:
    return ast.Lambda(ast.arguments([], [], None, [], [], None, []), e)


# -- definitions


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
def rewritten(code: CodeType, module: str) -> tuple[ast.FunctionDef, CodeType]:
    """The source of a function, and a factory of what it is rewritten to."""
    tree = functions_of(module).get(code.co_firstlineno)
    if tree is None or tree.name != code.co_name:
        raise NoSource(f"the source of {module} is not what runs: use the interpreter")
    new = ast.FunctionDef("write", tree.args, Rewriter(tree).body(), [], None)
    new.args = ast.arguments([], [ast.arg(a.arg) for a in tree.args.args], None, [], [], None, [])
    outer = ast.arguments([], [ast.arg(n) for n in code.co_freevars], None, [], [], None, [])
    result = ast.Return(ast.Name("write", ast.Load()))
    factory = ast.Module([ast.FunctionDef("factory", outer, [new, result], [], None)], [])
    return tree, compile(ast.fix_missing_locations(factory), f"<{tree.name}>", "exec")


@cache
def definition(function: Semantics) -> Definition:
    """Raises NoSource, Opaque."""
    if not isinstance(function, FunctionType):
        raise NoSource(f"{function!r} is compiled: use the interpreter (--engine interpreter)")
    tree, factory = rewritten(function.__code__, function.__module__)
    namespace = function.__globals__ | HELPERS
    exec(factory, namespace)
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    _, *parameters = [arg.arg for arg in tree.args.args]
    reads: list[tuple[str, int]] = []
    writes: list[tuple[str, int]] = []
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(ast.Attribute(ast.Name("h"), file), ast.Name(number)):
                found = reads if isinstance(node.ctx, ast.Load) else writes
                found.append((file, parameters.index(number)))
    return Definition(tuple(parameters), tuple(reads), tuple(writes), namespace["factory"](*cells))
