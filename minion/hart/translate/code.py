"""Straight code: the Machine that writes a block's source, a line at a time.

Each line knows which instruction it belongs to and how many have been executed before it, since
`left` was last brought up to date: that is what a trap needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from minion.hart.decode import BIN, Decoded
from minion.hart.encoding import Kind
from minion.hart.mmu import PAGE
from minion.hart.translate.access import ALL, Group, Habits, Site
from minion.hart.translate.knowledge import State
from minion.hart.translate.node import Expr, name, text
from minion.hart.translate.render import Renderer
from minion.hart.translate.semantics import Jump, Opaque, Value, definition, expression

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


Line = tuple[int, str, Place]
"""Its level of indentation, its source."""


class Access(NamedTuple):
    element: str
    site: int
    base: str
    turning: str


class Last(NamedTuple):
    """The last line is an assignment without effects, which the next one may swallow."""

    register: str
    value: Expr


class Code:
    def __init__(
        self,
        xlen: int,
        costs: tuple[int, ...],
        bind: Callable[[object], str],
        habits: Habits,
    ) -> None:
        """bind: the name by which the code can call an object."""
        self.lines: list[Line] = []
        self.groups: list[Group] = []
        self.sites: list[Site] = []
        self.depth = 0
        self.state = State.nothing()
        self.mask = (1 << xlen) - 1
        self._costs = costs
        self.bind = bind
        self._renderer = Renderer()
        self._place = Place(0, 0, 0, 0, 0, 0)
        self._habits = habits
        self._temporaries = 0
        self._last: Last | None = None
        self._held: list[Expr] = []
        """Values that the instruction still needs, perhaps after it has written registers."""
        self._swallowed: Last | None = None
        self._atomic = False
        """The instruction goes on after it has stored."""
        self._fresh: tuple[str, range] | None = None

    # -- lines

    def line(self, source: str) -> None:
        self.lines.append((self.depth, source, self._place))
        self._last = None
        self._fresh = None

    def text(self, value: Expr) -> str:
        return self._renderer.text(value)

    def truth(self, value: Expr) -> str:
        return self._renderer.truth(value)

    def arrive(self, state: State) -> None:
        """The code that follows is reached in that state."""
        self.state = state
        self._last = None

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
        following = pc + d.length & self.mask
        self._place = Place(pc, following, d.raw, state.count, state.extra, cost)
        if self._swallows(d):
            self._swallowed, self._last = self._last, None
            self.lines.pop()
        self._held.clear()
        self._atomic = d.kind is Kind.AMO
        jump = definition(d.function).write(self, *d.operands)
        self._swallowed = None
        if self._atomic:
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
        written = [f"{file}{d.operands[n]}" for file, n in about.writes]
        read = [f"{file}{d.operands[n]}" for file, n in about.reads]
        return written == [last.register] and (
            last.value.constant or read.count(last.register) <= 1
        )

    # -- Machine

    def read(self, file: str, number: int) -> Value:
        if file == "x" and number == 0:
            return 0
        register = f"{file}{number}"
        found = self.state.known.get(register)
        if self._swallowed is not None and self._swallowed.register == register:
            found = self._swallowed.value
        if found is not None:
            return found.lo if found.constant else found
        return name(register, 0, self.mask if file == "x" else FLOAT_MASK)

    def write(self, file: str, number: int, new: Value) -> None:
        if file == "x" and number == BIN:
            return
        value = expression(new)
        register = f"{file}{number}"
        for held in self._held:
            if any(leaf.text == register for leaf in held.leaves()):
                target = self._temporary()
                self.line(f"{target} = {self.text(held)}")
                held.become(target)
        self.state.written({register})
        most = self.mask if file == "x" else FLOAT_MASK
        known = name(register, max(value.lo, 0), min(value.hi, most))
        if value.op == "name" and self._fresh is not None and self._fresh[0] == value.text:
            for index in self._fresh[1]:  # it was loaded for this
                depth, source, place = self.lines[index]
                self.lines[index] = depth, source.replace(value.text, register), place
            self._fresh = None
        elif not (value.op == "name" and value.text == register):
            self.line(f"{register} = {self.text(value)}")
            self._last = Last(register, value)
        self.state.known[register] = value if value.constant else known

    def load(self, addr: Value, size: int) -> Expr:
        target = self._temporary()
        start = len(self.lines)
        access = self._access(expression(addr), f"r{size}")
        self.line("try:")
        self.line(f" {target} = {access.element}")
        self.line("except misses:")
        self.line(f" {target}, left, {access.turning} = load({access.site}, {access.base}, left)")
        self._fresh = target, range(start, len(self.lines))
        return name(target, 0, (1 << 8 * size) - 1)

    def store(self, addr: Value, size: int, value: Value) -> None:
        source = self.text(expression(value))
        if self._atomic:  # the rest of the instruction must not miss its turn
            self.line(f"h.store({self.text(expression(addr))}, {size}, {source})")
            return
        access = self._access(expression(addr), f"w{size}")
        self.line("try:")
        self.line(f" {access.element} = {source}")
        self.line("except misses:")
        self.line(f" left, {access.turning} = store({access.site}, {access.base}, {source}, left)")

    def _access(self, addr: Expr, kind: str) -> Access:
        """How to write an access; then its base is in a range (see slow.py)."""
        if addr.op == "&" and addr.args[1].constant and addr.args[1].lo == self.mask:
            addr = addr.args[0]  # what it would cut off is not in the page either
        base, offset = addr, 0
        if addr.op == "+" and addr.args[1].constant:
            base, offset = addr.args[0], addr.args[1].lo
        register, far = base, offset
        pc = self._place.pc
        if offset < 0 or pc in self._habits.lone:
            base, offset = addr, 0
        source = self.text(base)
        group, kinds = self.state.groups.get(source, (None, frozenset[str]()))
        element = None
        if group is None:
            scattered = pc in self._habits.scattered and not base.constant
            group = Group(len(self.groups), source, base, pc, scattered)
            self.groups.append(group)
            element = group.element(kind, offset, True, False)
        else:
            element = group.element(kind, offset, False, kind in kinds)
        self.state.groups[source] = group, kinds | {kind}
        self.sites.append(Site(group, int(kind[1]), offset, pc))
        if register.op == "name":
            low, high = max(register.lo, PAGE - far), min(register.hi, self.mask - PAGE - far)
            self.state.known[register.text] = name(register.text, low, high)
        return Access(element, len(self.sites) - 1, source, ALL.format(group.number))

    def call(self, function: object, arguments: list[object]) -> Expr:
        source = function if isinstance(function, str) else self.bind(function)
        target = self._temporary()
        texts = [
            self.text(arg) if isinstance(arg, Expr) else "h" if arg is self else str(arg)
            for arg in arguments
        ]
        self.line(f"{target} = {source}({', '.join(texts)})")
        return name(target, -(1 << 200), 1 << 200)

    def keep(self, value: Value) -> Value:
        return value if isinstance(value, int) else self.kept(value)

    def hold(self, value: Value) -> Value:
        if isinstance(value, int):
            return value
        held = Expr(value.op, value.args, value.lo, value.hi, value.text)
        self._held.append(held)
        return held

    def kept(self, value: Expr) -> Expr:
        """The same value in a local."""
        if value.op in ("const", "name"):
            return value
        target = self._temporary()
        self.line(f"{target} = {self.text(value)}")
        return name(target, value.lo, value.hi)

    def attribute(self, name: str) -> Expr:
        return text(f"h.{name}")

    def set_bits(self, name: str, bits: Value) -> None:
        if not isinstance(bits, int):
            raise Opaque(name)
        if (name, bits) not in self.state.done:
            self.line(f"h.{name} |= {bits}")
            self.state.done |= {(name, bits)}

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"v{self._temporaries}_"
