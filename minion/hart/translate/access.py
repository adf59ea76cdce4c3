"""The source of loads and stores.

Theory of operation.  An access takes an element of a memoryview of its page (window.py), and the
hope is that it is the page that the same place in the code has met before: `V[T[base ^ P]]`, where
P is the address of that page, T turns an offset in it into an index, and whatever is not so well
raises: another page (the difference is too large for T), a misaligned address (T has None for it),
a page that may not be accessed like this (V is empty), one that is watched by now (V is released).
Then the access goes the slow way (slow.py), which has P and V follow it.

Accesses at offsets from the same value of a register are a group, with one P and the difference G
in a variable.  As offsets lead beyond the page, views have two of them where they can.  Groups that
turn too often (lists, hash tables) are scattered: they look their page up each time.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from minion.hart.mmu import OFFSET, PAGE, SHIFT
from minion.hart.translate.node import Expr

MISSES: Final = (KeyError, IndexError, TypeError, ValueError)
SPAN: Final = 2 * PAGE
NOWHERE: Final = 1 << 80
"""P before the first access: no address is near it."""
EMPTY: Final = memoryview(b"")


def indices(size: int, span: int) -> tuple[int | None, ...]:
    """By offset: the index of an element; None in the middle of one."""
    return tuple([None if offset % size else offset // size for offset in range(span)])


TABLES: Final[dict[str, object]] = {
    "misses": MISSES,
    "nowhere": NOWHERE,
    "empty": EMPTY,
    **{f"T{size}": indices(size, PAGE) for size in (1, 2, 4, 8)},
    **{f"U{size}": indices(size, SPAN) for size in (2, 4, 8)},
}
"""What the source names."""
FIRST: Final = "@first{}@"
ALL: Final = "@all{}@"
MARK: Final = re.compile("@(first|all)([0-9]+)@")
"""In the source, until all accesses of a group are known."""


class Group:
    """Accesses that share a page."""

    __slots__ = ("base", "known", "number", "pc", "registers", "scattered", "size", "views")

    def __init__(self, number: int, base: str, value: Expr, pc: int, scattered: bool) -> None:
        """base: the source of value.  pc: of the first access."""
        self.number = number
        self.base = base
        self.registers = {leaf.text for leaf in value.leaves()}
        self.pc = pc
        self.known = value.constant
        self.scattered = scattered
        self.size = 0
        """How many accesses it has."""
        self.views: dict[str, str] = {}
        """Kind ("r4") -> variable."""

    def element(self, kind: str, offset: int, first: bool, again: bool) -> str:
        """What is loaded or assigned to.

        first: nothing of the group comes before it.  again: something of that kind does.
        """
        self.size += 1
        size, view = int(kind[1]), f"V{self.number}{kind}"
        self.views[kind] = view
        if self.known:
            at = int(self.base) & OFFSET
            return "T1[None]" if at % size else f"{view}[{at // size}]"
        if self.scattered and not again:
            view = f"({view} := {kind.upper()}[{self.base} >> {SHIFT}])"
        return f"{view}[{self._index(size, offset, first)}]"

    def _index(self, size: int, offset: int, first: bool) -> str:
        if not first:
            at = f"G{self.number} + {offset}" if offset else f"G{self.number}"
            return at if size == 1 else f"U{size}[{at}]"
        named = FIRST.format(self.number)
        if self.scattered:
            checked = f"({named}{self.base} & {OFFSET})"
            if size == 1 and not offset:
                return checked
        elif offset:  # the page must be right before there is an offset
            checked = f"({named}T1[{self.base} ^ P{self.number}])"
        else:
            checked = f"({named}{self.base} ^ P{self.number})"
        if not offset:
            return f"T{size}[{checked}]"
        return f"{checked} + {offset}" if size == 1 else f"U{size}[{checked} + {offset}]"

    def lasting(self) -> list[str]:
        """Variables that outlive a call."""
        return [] if self.scattered else [f"P{self.number}", *self.views.values()]

    def turning(self) -> list[str]:
        """Variables that a miss sets."""
        own = [] if self.scattered else [f"P{self.number}"]
        return [f"G{self.number}", *own, *self.views.values()]


class Site(NamedTuple):
    """An access."""

    group: Group
    size: int
    offset: int
    pc: int


class Habits:
    """What has been seen of accesses, by their pcs."""

    __slots__ = ("lone", "scattered")

    def __init__(self) -> None:
        self.scattered: set[int] = set()
        """With these begin groups that turn often."""
        self.lone: set[int] = set()
        """These are often in the page after that of their base: each is a group of its own."""

    def clear(self) -> None:
        self.scattered.clear()
        self.lone.clear()


def finished(source: str, groups: list[Group]) -> str:
    """Source without marks."""

    def name(mark: re.Match[str]) -> str:
        group = groups[int(mark[2])]
        if mark[1] == "all":
            return ", ".join(group.turning())
        return f"G{group.number} := " if group.size > 1 else ""

    return MARK.sub(name, source)
