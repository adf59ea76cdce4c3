"""Memory as translated code sees it in one mode of the hart: a memoryview for each page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from minion.hart.mmu import PAGE, SHIFT
from minion.hart.state import Hart

SIZES: Final[dict[int, Literal["B", "H", "I", "Q"]]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
Views = dict[int, memoryview]
Call = Callable[[int], tuple[int, int]]
"""A translated block: the budget to the next pc, and what is left."""


class Window:
    """What goes with one pair of h.reads and h.writes, as long as they are those of the mode."""

    def __init__(self, h: Hart) -> None:
        self._h = h
        self.reads, self.writes = h.reads, h.writes
        self.r: dict[int, Views] = {size: {} for size in SIZES}
        self.w: dict[int, Views] = {size: {} for size in SIZES}
        self.maps: dict[object, dict[int, Call]] = {}
        """By the hart's context: the blocks known, by pc."""

    def map(self, context: object) -> dict[int, Call]:
        """It is emptied in place."""
        return self.maps.setdefault(context, {})

    def load(self, addr: int, size: int) -> int:
        """The slow way; the next load from that page will be fast, if it may be.  Raises Trap."""
        value = self._h.mmu.load(addr, size)
        delta = self.reads.get(addr >> SHIFT)
        if delta is not None:
            self.r[size][addr >> SHIFT] = self._view(addr, delta, size)
        return value

    def store(self, addr: int, size: int, value: int) -> None:
        self._h.mmu.store(addr, size, value)
        delta = self.writes.get(addr >> SHIFT)
        if delta is not None:
            self.w[size][addr >> SHIFT] = self._view(addr, delta, size)

    def _view(self, addr: int, delta: int, size: int) -> memoryview:
        start = (addr & -PAGE) + delta
        return self._h.mmu.ram.view[start : start + PAGE].cast(SIZES[size])

    def unwatched(self, page: int) -> None:
        """Stores to a virtual page have to be seen."""
        for views in self.w.values():
            views.pop(page, None)
