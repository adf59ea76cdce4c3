"""Which blocks become one function.

Theory of operation.  From the entry on, blocks that have been executed are added as long as there
is room.  A function that is called is added for each caller, so that its return leads back there;
where a jump through a register may lead is taken from where it has led.  All of these are guesses
that the code checks: what goes elsewhere leaves the function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, NamedTuple

from minion.hart.blocks import Straight
from minion.hart.decode import BIN
from minion.hart.encoding import Kind
from minion.hart.translate.semantics import definition

MOST_INSTRUCTIONS: Final = 384
"""In a function: what is executed between two looks at the budget, and the cost of compiling."""
MOST_CALLERS: Final = 3
MOST_TARGETS: Final = 16
"""Of a jump through a register."""


class Caller(NamedTuple):
    register: int
    """That the return address is in."""
    link: int
    outer: Caller | None

    @property
    def depth(self) -> int:
        return 1 + (self.outer.depth if self.outer is not None else 0)


class Seen(NamedTuple):
    """A block that has been executed."""

    straight: Straight
    targets: Collection[int]
    """Where it has gone on, if it ends with a jump through a register."""


class Node:
    """A block in a region."""

    __slots__ = ("caller", "edges", "number", "straight")

    def __init__(self, number: int, straight: Straight, caller: Caller | None) -> None:
        self.number = number
        self.straight = straight
        self.caller = caller
        self.edges: dict[int, int] = {}
        """pc -> the number of the node that executes what is there."""

    @property
    def pc(self) -> int:
        return self.straight.pc


class Region:
    def __init__(self, entry: Seen, find: Callable[[int], Seen | None]) -> None:
        """find says no to what is not worth it, or not possible."""
        self.nodes: list[Node] = []
        self.instructions = 0
        self._find = find
        self._numbers: dict[tuple[int, Caller | None], int] = {}
        self._seen: list[Seen] = []
        self._add(entry, None)
        for node in self.nodes:  # it grows
            self._extend(node)

    @property
    def pc(self) -> int:
        return self.nodes[0].pc

    def exits(self) -> set[int]:
        """The pcs that are known to come after it."""
        found: set[int] = set()
        for node in self.nodes:
            found |= {pc for pc in targets(node.straight) if pc not in node.edges}
        return found

    def _add(self, seen: Seen, caller: Caller | None) -> int:
        number = self._numbers[seen.straight.pc, caller] = len(self.nodes)
        self.nodes.append(Node(number, seen.straight, caller))
        self._seen.append(seen)
        self.instructions += len(seen.straight.code)
        return number

    def _extend(self, node: Node) -> None:
        caller = node.caller
        following = targets(node.straight)
        linked = link(node.straight)
        if linked is not None:
            if caller is not None and caller.depth == MOST_CALLERS:
                return
            caller = Caller(*linked, caller)
        if not following:
            following = tuple(self._seen[node.number].targets)[:MOST_TARGETS]
            if linked is None and returns(node.straight):
                if caller is None or not returns_to(node.straight, caller):
                    return
                following, caller = (caller.link,), caller.outer
        for pc in following:
            number = self._numbers.get((pc, caller))
            if number is None:
                seen = self._find(pc)
                if seen is None or not self._fits(seen):
                    continue
                number = self._add(seen, caller)
            node.edges[pc] = number

    def _fits(self, seen: Seen) -> bool:
        return self.instructions + len(seen.straight.code) <= MOST_INSTRUCTIONS


def operands(straight: Straight) -> dict[str, int]:
    """Those of its last instruction, by the names that its semantics give them."""
    last = straight.code[-1]
    return dict(zip(definition(last.function).parameters, last.operands, strict=True))


def targets(straight: Straight) -> tuple[int, ...]:
    """Where a block goes on, as far as its bits say."""
    kind = straight.code[-1].kind
    if kind < Kind.BRANCH:
        return (straight.end,)
    target = operands(straight).get("target")
    if target is None:
        return ()
    return (target, straight.end) if kind is Kind.BRANCH else (target,)


def link(straight: Straight) -> tuple[int, int] | None:
    """The register and the return address, if a block ends with a call."""
    if straight.code[-1].kind is not Kind.JUMP:
        return None
    named = operands(straight)
    return None if named["rd"] == BIN else (named["rd"], named["link"])


def returns(straight: Straight) -> bool:
    """Whether it ends with what returns from functions: a jump to a link register (2.5)."""
    named = operands(straight)
    return named.get("rs1") in (1, 5) and named.get("imm") == 0


def returns_to(straight: Straight, caller: Caller) -> bool:
    return operands(straight).get("rs1") == caller.register
