"""What is known about registers and pages at a point of the code."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Self

from minion.hart.translate.access import Group
from minion.hart.translate.node import Expr, name


@dataclass
class State:
    known: dict[str, Expr]
    """Registers: a constant, or themselves with a range."""
    groups: dict[str, tuple[Group, frozenset[str]]]
    """Accesses whose difference has been computed, by the source of their base; and the kinds of
    views that have been looked up."""
    done: frozenset[tuple[str, int]]
    """Bits of the hart's attributes that are set already."""
    count: int = 0
    """Instructions executed, but not counted, and cycles beyond one for each."""
    extra: int = 0

    @classmethod
    def nothing(cls) -> Self:
        return cls({}, {}, frozenset())

    def copy(self) -> State:
        return State(dict(self.known), dict(self.groups), self.done, self.count, self.extra)

    def written(self, registers: Set[str]) -> None:
        """Something else may be in them now."""
        for register in registers & self.known.keys():
            del self.known[register]
        for source, (group, _) in list(self.groups.items()):
            if group.registers & registers:
                del self.groups[source]


def join(states: list[State]) -> State:
    """What is known whichever of the ways was taken; all that was executed has been counted."""
    first, *others = states
    known: dict[str, Expr] = {}
    for register, value in first.known.items():
        ranges = [state.known[register] for state in others if register in state.known]
        if len(ranges) < len(others):
            continue
        low = min([value.lo, *[other.lo for other in ranges]])
        high = max([value.hi, *[other.hi for other in ranges]])
        known[register] = value if low == high else name(register, low, high)
    groups = {}
    for source, (group, kinds) in first.groups.items():
        same = [state.groups[source] for state in others if source in state.groups]
        if len(same) == len(others) and all(other is group for other, _ in same):
            groups[source] = group, kinds.intersection(*[kinds for _, kinds in same])
    return State(known, groups, first.done.intersection(*[state.done for state in others]))
