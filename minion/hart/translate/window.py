"""Memory as translated code sees it in one mode of the hart: a memoryview for each page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from minion.hart.mmu import PAGE, SHIFT
from minion.hart.state import Hart
from minion.hart.translate.access import EMPTY, SPAN

if TYPE_CHECKING:
    from minion.hart.translate.piece import Piece

FORMATS: Final[dict[int, Literal["B", "H", "I", "Q"]]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
KINDS: Final = tuple([f"{way}{size}" for way in "rw" for size in FORMATS])
Views = dict[int, memoryview]
Call = Callable[[int], tuple[int, int]]
"""A translated block: the budget to the next pc, and what is left."""


class Window:
    """What goes with one pair of h.reads and h.writes, as long as they are those of the mode."""

    def __init__(self, h: Hart) -> None:
        self._h = h
        self._first = 1
        self._end = (h.isa.mask >> SHIFT) - 1
        """The pages that have views: not those around the end of the address space (slow.py)."""
        self._tables = {"r": h.reads, "w": h.writes}
        self.views: dict[str, Views] = {kind: {} for kind in KINDS}
        self._maps: dict[object, dict[int, Call]] = {}
        self._pieces: dict[object, dict[int, Piece]] = {}

    # -- code

    def map(self, context: object) -> dict[int, Call]:
        """By the hart's context: the blocks known, by pc.  It is emptied in place."""
        return self._maps.setdefault(context, {})

    def pieces(self, context: object) -> dict[int, Piece]:
        """The blocks that have been executed, by pc."""
        return self._pieces.setdefault(context, {})

    def drop(self, pc: int) -> None:
        """The block there has to be looked for again."""
        for known in self._maps.values():
            known.pop(pc, None)

    def forget(self) -> None:
        """What code is where."""
        for known in self._maps.values():
            known.clear()
        self._pieces.clear()

    # -- pages

    def load(self, addr: int, size: int) -> int:
        """The slow way; the next load from that page may be faster.  Raises Trap."""
        value = self._h.mmu.load(addr, size)
        self.view(f"r{size}", addr & -PAGE)
        return value

    def store(self, addr: int, size: int, value: int) -> None:
        self._h.mmu.store(addr, size, value)
        self.view(f"w{size}", addr & -PAGE)

    def view(self, kind: str, addr: int) -> memoryview:
        """That of a page, with the next one if that is next to it in RAM too; or an empty one."""
        page = addr >> SHIFT
        table = self._tables[kind[0]]
        delta = table.get(page)
        if delta is None or not self._first <= page < self._end:
            return EMPTY
        span = SPAN if table.get(page + 1) == delta else PAGE
        view = self.views[kind].get(page)
        if view is None or view.nbytes != span:
            if view is not None:
                view.release()  # or it would be overlooked when the page is watched
            ram = self._h.mmu.ram.view[addr + delta : addr + delta + span]
            view = self.views[kind][page] = ram.cast(FORMATS[int(kind[1])])
        return view

    def watched(self, page: int) -> None:
        """Stores to a virtual page have to be seen: no view of it can be used any more."""
        for kind, views in self.views.items():
            if kind[0] == "w":
                for first in (page - 1, page):
                    view = views.pop(first, None)
                    if view is not None:
                        view.release()
