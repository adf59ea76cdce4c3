"""Straight code: the Machine that writes a block's source, a line at a time.

Each line knows which instruction it belongs to and how many have been executed before it, since
`left` was last brought up to date: that is what a trap needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from minion.hart.decode import BIN, Decoded
from minion.hart.encoding import Kind
from minion.hart.translate import access
from minion.hart.translate.node import Expr, const, name
from minion.hart.translate.render import Renderer
from minion.hart.translate.semantics import Jump, Opaque, definition, inline

FLOAT_MASK: Final = (1 << 64) - 1
PURE: Final = (Kind.ALU, Kind.MUL, Kind.DIV)
"""They cannot trap, and do nothing but write a register."""


class Place(NamedTuple):
    """Where a line is: its instruction, and what has been executed before it but not counted."""

    pc: int
    following: int
    """The pc after it."""
    raw: int
    before: int
    extra: int
    """Cycles, beyond one per instruction."""
    cost: int
    """Of the instruction itself, beyond one cycle."""


class Line(NamedTuple):
    depth: int
    text: str
    place: Place


class Last(NamedTuple):
    """The last line is an assignment without effects, which the next one may swallow."""

    register: str
    value: Expr


@dataclass
class State:
    """What is known at a point of the code."""

    known: dict[str, Expr]
    """Registers: their range, or constant."""
    done: frozenset[tuple[str, int]]
    """Bits of the hart's attributes that are set already."""
    count: int
    extra: int

    def copy(self) -> State:
        return State(dict(self.known), self.done, self.count, self.extra)


class Code:
    def __init__(self, xlen: int, costs: tuple[int, ...], bind: access.Bind) -> None:
        """bind: the name by which the code can call an object."""
        self.lines: list[Line] = []
        self.depth = 0
        self.state = State({}, frozenset(), 0, 0)
        self._mask = (1 << xlen) - 1
        self._costs = costs
        self._bind = bind
        self._renderer = Renderer()
        self._place = Place(0, 0, 0, 0, 0, 0)
        self._temporaries = 0
        self._last: Last | None = None
        self._swallowed: Last | None = None
        self._fresh: tuple[str, list[int]] | None = None

    # -- lines

    def line(self, source: str) -> None:
        self.lines.append(Line(self.depth, source, self._place))
        self._last = None
        self._fresh = None

    def text(self, value: Expr) -> str:
        return self._renderer.text(value)

    def truth(self, value: Expr) -> str:
        return self._renderer.truth(value)

    def forget(self) -> None:
        """Other code leads here, too."""
        self.state.known.clear()
        self.state.done = frozenset()
        self._last = None

    def restart(self) -> None:
        """Whatever leads here has counted."""
        self.state.count = self.state.extra = 0

    def settle(self) -> None:
        """Count what has been executed."""
        state = self.state
        if state.count:
            self.line(f"left -= {state.count}")
        if state.extra:
            self.line(f"more += {state.extra}")
        state.count = state.extra = 0
        self._place = self._place._replace(before=0, extra=0)

    # -- instructions

    def instruction(self, d: Decoded, pc: int) -> Jump | None:
        """Raises Opaque."""
        state = self.state
        cost = self._costs[d.kind] - 1
        following = pc + d.length & self._mask
        self._place = Place(pc, following, d.raw, state.count, state.extra, cost)
        if self._swallows(d):
            self._swallowed, self._last = self._last, None
            self.lines.pop()
        jump = inline(d.function, d.operands, self)
        self._swallowed = None
        if d.kind is Kind.AMO:
            self.line("left -= after()")
        state.count += 1
        state.extra += cost
        return jump

    def _swallows(self, d: Decoded) -> bool:
        """Whether the last line assigns what this instruction overwrites, and uses at most once."""
        last = self._last
        if last is None or d.kind not in PURE:
            return False
        about = definition(d.function)
        written = [f"{file}{d.operands[n - 1]}" for file, n in about.writes]
        read = [f"{file}{d.operands[n - 1]}" for file, n in about.reads]
        return written == [last.register] and (
            last.value.constant or read.count(last.register) <= 1
        )

    # -- Machine

    def read(self, file: str, number: int) -> Expr:
        if file == "x" and number == 0:
            return const(0)
        register = f"{file}{number}"
        if self._swallowed is not None and self._swallowed.register == register:
            return self._swallowed.value
        found = self.state.known.get(register)
        if found is not None:
            return found
        return name(register, 0, self._mask if file == "x" else FLOAT_MASK)

    def write(self, file: str, number: int, value: Expr) -> None:
        if file == "x" and number == BIN:
            return
        register = f"{file}{number}"
        most = self._mask if file == "x" else FLOAT_MASK
        known = name(register, max(value.lo, 0), min(value.hi, most))
        if value.op == "name" and self._fresh is not None and self._fresh[0] == value.text:
            for index in self._fresh[1]:  # it was loaded for this
                line = self.lines[index]
                self.lines[index] = line._replace(text=line.text.replace(value.text, register))
            self._fresh = None
        elif not (value.op == "name" and value.text == register):
            self.line(f"{register} = {self.text(value)}")
            self._last = Last(register, value)
        self.state.known[register] = value if value.constant else known

    def load(self, addr: Expr, size: int) -> Expr:
        target = self._temporary()
        start = len(self.lines)
        for source in access.load(self._address(addr), size, target, self._mask):
            self.line(source)
        self._fresh = target, list(range(start, len(self.lines)))
        return name(target, 0, (1 << 8 * size) - 1)

    def store(self, addr: Expr, size: int, value: Expr) -> None:
        for source in access.store(self._address(addr), size, self.text(value), self._mask):
            self.line(source)

    def _address(self, addr: Expr) -> access.Address:
        """Without the mask: what it would cut off is not in the tables of pages."""
        if addr.op == "&" and addr.args[1].constant and addr.args[1].lo == self._mask:
            addr = addr.args[0]
        return access.Address(self.text(addr), addr.op in ("name", "const"), addr.lo, addr.hi)

    def call(self, function: object, arguments: list[Expr]) -> Expr:
        source = function if isinstance(function, str) else self._bind(function)
        target = self._temporary()
        self.line(f"{target} = {source}({', '.join([self.text(a) for a in arguments])})")
        return name(target, -(1 << 200), 1 << 200)

    def keep(self, value: Expr) -> Expr:
        if value.op in ("const", "name") and value.text[:1] not in ("x", "f"):
            return value
        target = self._temporary()
        self.line(f"{target} = {self.text(value)}")
        return name(target, value.lo, value.hi)

    def set_bits(self, attribute: str, bits: Expr) -> None:
        if not bits.constant:
            raise Opaque(attribute)
        if (attribute, bits.lo) not in self.state.done:
            self.line(f"h.{attribute} |= {bits.lo}")
            self.state.done |= {(attribute, bits.lo)}

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"v{self._temporaries}_"
