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

from minion.hart.blocks import Straight
from minion.hart.decode import BIN
from minion.hart.encoding import Kind
from minion.hart.translate.code import Code, Line
from minion.hart.translate.graph import Graph
from minion.hart.translate.knowledge import State, join
from minion.hart.translate.node import Expr, const
from minion.hart.translate.region import Region, targets
from minion.hart.translate.semantics import Jump, Opaque, definition

MOST_TESTS: Final = 3
"""Of a jump's target; more targets are looked up."""
DEEPEST: Final = 60
"""Levels of indentation; CPython allows 100."""


class Function:
    def __init__(self, region: Region, code: Code, taken: int, costly: bool) -> None:
        """taken: what a taken branch costs more.  costly: not all instructions cost one cycle."""
        self._nodes = region.nodes
        self._most = region.instructions
        edges = {node.number: tuple(dict.fromkeys(node.edges.values())) for node in region.nodes}
        self._graph = Graph(0, edges)
        self._code = code
        self._taken = taken
        self._costly = costly
        self._children = self._graph.children()
        self._broken: dict[int, set[int]] = {head: set() for head in self._graph.loops}
        """Where the breaks of each loop lead."""
        self._arriving: dict[int, list[State]] = {}
        """What is known on the paths that fall down to a node."""
        self._told: set[int] = set()
        """Nodes for which `to` is looked at, or must differ."""
        self._analyse()

    def write(self) -> list[Line]:
        """The body.  Raises Opaque."""
        self._block(0, None)
        told = {f"to = {node}" for node in self._told}
        return [
            (depth, "pass", place) if text[:5] == "to = " and text not in told else
            (depth, text, place) for depth, text, place in self._code.lines
        ]  # fmt: skip

    # -- registers

    def _analyse(self) -> None:
        uses: dict[int, set[str]] = {}
        defines = self._defines = dict[int, set[str]]()
        for node in self._graph.order:
            uses[node], defines[node] = registers(self._nodes[node].straight)
        before = self._graph.reach(lambda node, changed: changed | defines[node])
        self._changed_before = before
        self._changed = {node: before[node] | defines[node] for node in self._graph.order}

        def live(node: int, after: set[str]) -> set[str]:
            wanted = after | self._changed[node] if self._leaves(node) else after
            wanted = wanted - defines[node] | uses[node]
            return wanted | before[node] if node in self._graph.loops else wanted

        self.loaded = self._graph.reach_back(live)[0]
        """Registers to be in locals at the start."""

    def _leaves(self, number: int) -> bool:
        """Whether some way out of a block leaves the function."""
        node = self._nodes[number]
        known = targets(node.straight)
        return (
            not known
            or any(pc not in node.edges for pc in known)
            or any((number, to) in self._graph.cut for to in node.edges.values())
        )

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
        code.state.written(set().union(*[self._defines[inside] for inside in body]))
        code.line(f"while left > {self._most}:")
        code.depth += 1
        within = [child for child in self._children[node] if child in body]
        falling = self._after(self._contents(node, node), within, node)
        if falling:
            code.line("break")
        code.depth -= 1
        code.line("else:")
        code.depth += 1
        code.arrive(State.nothing())
        self._leave(str(self._nodes[node].pc), self._changed_before[node])
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
            code.arrive(join(self._arriving.pop(child)))
            reached = self._block(child, loop)
            code.depth -= 1 if guard else 0
            falling = falling | reached
        return falling

    def _only(self, node: int, others: set[int]) -> str:
        """The condition, if one is needed, that a path is on its way to node."""
        if not others:
            return ""
        self._told |= others | {node}
        return f"if to == {node}: "

    def _contents(self, number: int, loop: int | None) -> set[int]:
        """A block's instructions and its way out."""
        code, straight = self._code, self._nodes[number].straight
        jump: Jump | None = None
        pc = straight.pc
        for decoded in straight.code:
            jump = code.instruction(decoded, pc)
            pc = pc + decoded.length
        end = const(straight.end)
        if jump is None:
            return self._go(number, end, loop)
        if straight.code[-1].kind is Kind.BRANCH:
            return self._branch(number, jump, end, loop)
        if jump.target.constant or not self._nodes[number].edges:
            return self._go(number, jump.target, loop)
        return self._switch(number, jump.target, loop)

    def _switch(self, number: int, target: Expr, loop: int | None) -> set[int]:
        """A jump that is not known, but where it may lead is."""
        code, edges = self._code, self._nodes[number].edges
        if target.op == "&" and target.args[1].constant and target.args[1].lo == code.mask - 1:
            value = code.kept(target.args[0])  # if that is a target, its lowest bit is not set
            whole = f"{code.text(value)} & {code.mask - 1}"
        else:
            value = code.kept(target)
            whole = code.text(value)
        if len(edges) <= MOST_TESTS:
            return self._chain(number, code.text(value), whole, loop)
        pcs = sorted(edges)
        table = code.bind({pc: index for index, pc in enumerate(pcs)})
        code.line("try:")
        code.line(f" to = {table}[{code.text(value)}]")
        code.line("except KeyError:")
        code.depth += 1
        self._leave(whole, self._changed[number])
        code.depth -= 1
        return self._tree(number, pcs, 0, loop)

    def _tree(self, number: int, pcs: list[int], first: int, loop: int | None) -> set[int]:
        """One of these, by the index in `to`."""
        code = self._code
        if len(pcs) == 1:
            return self._go(number, const(pcs[0]), loop)
        middle = len(pcs) // 2
        code.line(f"if to < {first + middle}:")
        before = code.state.copy()
        code.depth += 1
        falling = self._tree(number, pcs[:middle], first, loop)
        code.depth -= 1
        code.arrive(before)
        code.line("else:")
        code.depth += 1
        falling = falling | self._tree(number, pcs[middle:], first + middle, loop)
        code.depth -= 1
        return falling

    def _chain(self, number: int, value: str, whole: str, loop: int | None) -> set[int]:
        """One of a few targets, or none of them."""
        code = self._code
        falling: set[int] = set()
        before = code.state
        for pc in self._nodes[number].edges:
            code.line(f"{'el' if code.state is not before else ''}if {value} == {pc}:")
            code.arrive(before.copy())
            code.depth += 1
            falling |= self._go(number, const(pc), loop)
            code.depth -= 1
        code.line("else:")
        code.arrive(before)
        code.depth += 1
        self._leave(whole, self._changed[number])
        code.depth -= 1
        return falling

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
        code.arrive(before)
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
        to = self._nodes[node].edges.get(target.lo) if target.constant else None
        if to is None or (node, to) in graph.cut:
            self._leave(code.text(target), self._changed[node])
            return set()
        if to == loop:
            code.settle()
            code.line("continue")
            return set()
        if loop is not None and to not in graph.loops[loop]:
            code.settle()
            code.line(f"to = {to}")
            code.line("break")
            self._broken[loop].add(to)
            self._arriving.setdefault(to, []).append(code.state.copy())
            return set()
        if graph.predecessors(to) == [node]:
            return self._block(to, loop)
        code.settle()
        code.line(f"to = {to}")
        self._arriving.setdefault(to, []).append(code.state.copy())
        return {to}


def registers(straight: Straight) -> tuple[set[str], set[str]]:
    """Of a block: those it reads before it has written them, and those it writes."""
    uses: set[str] = set()
    defines: set[str] = set()
    for decoded in straight.code:
        about = definition(decoded.function)
        read = {f"{file}{decoded.operands[n]}" for file, n in about.reads}
        uses |= read - defines
        defines |= {f"{file}{decoded.operands[n]}" for file, n in about.writes}
    return uses - {"x0"}, defines - {f"x{BIN}"}
