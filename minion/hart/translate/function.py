"""Blocks to one Python function: loops become `while`, branches `if`.

Theory of operation.  A block is followed by the code of those it dominates.  A branch to one that
has no other way in is an `if` around its code.  One with several ways in comes after the code of
them all, and every path that does not `return`, `continue` or `break` falls down to it; where
paths to different blocks fall down together, the variable `to` tells them apart.  In a loop all
paths that fall down to its end leave it, by `break`; each round is paid for before it starts.
Registers are locals; what leaves the function writes back those that may have changed.
"""

from __future__ import annotations

from typing import Final

from minion.hart.decode import BIN
from minion.hart.encoding import Kind
from minion.hart.translate.code import Code, Line
from minion.hart.translate.graph import Graph
from minion.hart.translate.node import Expr, const
from minion.hart.translate.region import Part, Region
from minion.hart.translate.semantics import Jump, Opaque, definition

DEEPEST: Final = 60
"""Levels of indentation; CPython allows 100."""


class Function:
    def __init__(self, region: Region, code: Code, taken: int, costly: bool) -> None:
        """taken: what a taken branch costs more.  costly: not all instructions cost one cycle."""
        self._region = region
        self._graph = Graph(region.entry, region.successors)
        self._code = code
        self._taken = taken
        self._costly = costly
        self._children = self._graph.children()
        self._number = {node: n for n, node in enumerate(self._graph.order)}
        self._broken: dict[int, set[int]] = {head: set() for head in self._graph.loops}
        """Where the breaks of each loop lead."""
        self._told: set[int] = set()
        """Nodes for which `to` is looked at, or must differ."""
        self._analyse()

    def write(self) -> list[Line]:
        """The body.  Raises Opaque."""
        self._block(self._region.entry, None)
        told = {f"to = {self._number[node]}" for node in self._told}
        return [
            line._replace(text="pass")
            if line.text.startswith("to = ") and line.text not in told
            else line
            for line in self._code.lines
        ]

    # -- registers

    def _analyse(self) -> None:
        uses: dict[int, set[str]] = {}
        defines: dict[int, set[str]] = {}
        for node in self._graph.order:
            uses[node], defines[node] = registers(self._region.parts[node])
        before = self._graph.reach(lambda node, changed: changed | defines[node])
        self._changed_before = before
        self._changed = {node: before[node] | defines[node] for node in self._graph.order}

        def live(node: int, after: set[str]) -> set[str]:
            wanted = after | self._changed[node] if self._leaves(node) else after
            wanted = wanted - defines[node] | uses[node]
            return wanted | before[node] if node in self._graph.loops else wanted

        self.loaded = self._graph.reach_back(live)[self._region.entry]
        """Registers to be in locals at the start."""

    def _leaves(self, node: int) -> bool:
        """Whether some way out of a block leaves the function."""
        part = self._region.parts[node]
        inside = [s for s in part.targets if s in self._number]
        return len(inside) < len(part.targets) or part.dynamic or any(
            (node, s) in self._graph.cut for s in inside
        )  # fmt: skip

    def _leave(self, target: str, changed: set[str]) -> None:
        code = self._code
        for register in sorted(changed):
            code.line(f"{register[0].upper()}[{register[1:]}] = {register}")
        state = code.state
        if self._costly:
            code.line(f"h.cycles += more + {state.extra}")
        count = f" - {state.count}" if state.count else ""
        code.line(f"return {target}, left{count}")

    # -- structure: each returns the nodes that paths fall down to

    def _block(self, node: int, loop: int | None) -> set[int]:
        """A node and all that comes after it, in the loop with that head."""
        code, graph = self._code, self._graph
        body = graph.loops.get(node)
        if body is None:
            return self._after(self._contents(node, loop), self._children[node], loop)
        code.settle()
        code.forget()
        code.line(f"while left > {self._region.instructions}:")
        code.depth += 1
        within = [child for child in self._children[node] if child in body]
        falling = self._after(self._contents(node, node), within, node)
        if falling:
            code.line("break")
        code.depth -= 1
        code.line("else:")
        code.depth += 1
        code.restart()
        self._leave(str(node), self._changed_before[node])
        code.depth -= 1
        falling = falling | self._broken[node]
        if loop in falling:
            assert loop is not None
            falling = falling - {loop}
            code.line(f"{self._only(loop, falling)}continue")
        without = [child for child in self._children[node] if child not in body]
        return self._after(falling, without, loop)

    def _after(self, falling: set[int], children: list[int], loop: int | None) -> set[int]:
        """Nodes with several ways in, to which paths fall down."""
        code = self._code
        for child in children:
            if child not in falling:
                continue
            falling = falling - {child}
            guard = self._only(child, falling)
            if guard:
                code.line(guard)
            code.depth += 1 if guard else 0
            code.forget()
            code.restart()
            reached = self._block(child, loop)
            code.depth -= 1 if guard else 0
            falling = falling | reached
        return falling

    def _only(self, node: int, others: set[int]) -> str:
        """The condition, if one is needed, that a path is on its way to node."""
        if not others:
            return ""
        self._told |= others | {node}
        return f"if to == {self._number[node]}: "

    def _contents(self, node: int, loop: int | None) -> set[int]:
        """A block's instructions and its way out."""
        code, part = self._code, self._region.parts[node]
        jump: Jump | None = None
        pc = node
        for decoded in part.code:
            jump = code.instruction(decoded, pc)
            pc = pc + decoded.length
        if jump is None:
            return self._go(node, const(part.end), loop)
        if part.code[-1].kind is Kind.BRANCH:
            return self._branch(node, jump, const(part.end), loop)
        return self._go(node, jump.target, loop)

    def _branch(self, node: int, jump: Jump, end: Expr, loop: int | None) -> set[int]:
        code = self._code
        if jump.condition.constant:
            return (
                self._taking(node, jump, loop) if jump.condition.lo else self._go(node, end, loop)
            )
        code.line(f"if {code.truth(jump.condition)}:")
        before = code.state.copy()
        code.depth += 1
        falling = self._taking(node, jump, loop)
        code.depth -= 1
        code.state = before
        if not falling:
            return self._go(node, end, loop)
        code.line("else:")
        code.depth += 1
        falling = falling | self._go(node, end, loop)
        code.depth -= 1
        return falling

    def _taking(self, node: int, jump: Jump, loop: int | None) -> set[int]:
        self._code.state.extra += self._taken
        return self._go(node, jump.target, loop)

    def _go(self, node: int, target: Expr, loop: int | None) -> set[int]:
        """From a block to a target."""
        code, graph = self._code, self._graph
        if code.depth > DEEPEST:
            raise Opaque("too many levels")
        known = target.constant and target.lo in self._region.successors[node]
        if not known or (node, target.lo) in graph.cut:
            self._leave(code.text(target), self._changed[node])
            return set()
        to = target.lo
        if to == loop:
            code.settle()
            code.line("continue")
            return set()
        if loop is not None and to not in graph.loops[loop]:
            code.settle()
            code.line(f"to = {self._number[to]}")
            code.line("break")
            self._broken[loop].add(to)
            return set()
        if graph.predecessors(to) == [node]:
            return self._block(to, loop)
        code.settle()
        code.line(f"to = {self._number[to]}")
        return {to}


def registers(part: Part) -> tuple[set[str], set[str]]:
    """Of a block: those it reads before it has written them, and those it writes."""
    uses: set[str] = set()
    defines: set[str] = set()
    for decoded in part.code:
        about = definition(decoded.function)
        read = {f"{file}{decoded.operands[n - 1]}" for file, n in about.reads}
        uses |= read - defines
        defines |= {f"{file}{decoded.operands[n - 1]}" for file, n in about.writes}
    return uses - {"x0"}, defines - {f"x{BIN}"}
