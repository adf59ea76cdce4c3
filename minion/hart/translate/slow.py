"""Accesses of translated code that are not where the last ones were.

Every access that a unit survives is at an address from LOWEST up to the last two pages: whoever
writes code may rely on it that registers around such an address do not overflow.  What is outside,
the plain engine executes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.hart.mmu import PAGE
from minion.hart.translate.access import SPAN, Site
from minion.hart.translate.window import Window

LOWEST: Final = PAGE
MOST_STRAYS: Final = 16


class Plain(Exception):
    """The instruction in which it is raised is the plain engine's."""


class Slow:
    """The slow way of one unit in one window."""

    def __init__(
        self,
        window: Window,
        sites: tuple[Site, ...],
        mask: int,
        after: Callable[[], int],
        turned: Callable[[int, int], None],
        strayed: Callable[[set[int]], None],
    ) -> None:
        """after: what to take off the budget; it raises Leave.  turned: called with the pc of the
        first access of a group, and with what is left.  strayed: with the pcs of accesses that are
        often in the page after that of their base, which their group does not have."""
        self._window = window
        self._sites = sites
        self._mask = mask
        self._highest = mask - SPAN
        self._after = after
        self._turned = turned
        self._strayed = strayed
        self._strays: dict[int, int] = {}
        """How often accesses have been such."""

    def load(self, number: int, base: int, left: int) -> tuple[int | memoryview, ...]:
        """The value, what is left, and the variables of the group.  Raises Trap, Plain."""
        site = self._sites[number]
        value = self._window.load(self._address(base, site.offset), site.size)
        variables = self._turn(site, base, left)
        return value, left - self._after(), *variables

    def store(self, number: int, base: int, value: int, left: int) -> tuple[int | memoryview, ...]:
        """What is left, and the variables of the group.  Raises Trap, Plain, Leave."""
        site = self._sites[number]
        self._window.store(self._address(base, site.offset), site.size, value)
        variables = self._turn(site, base, left)
        return left - self._after(), *variables

    def _address(self, base: int, offset: int) -> int:
        addr = base + offset & self._mask
        if not LOWEST <= addr <= self._highest:
            raise Plain
        return addr

    def _turn(self, site: Site, base: int, left: int) -> tuple[int | memoryview, ...]:
        """As Group.turning names them."""
        group, page = site.group, base & -PAGE
        views = [self._window.view(kind, page) for kind in group.views]
        if base - page + site.offset >= PAGE:
            self._stray(site.pc)
        elif not group.scattered:
            self._turned(group.pc, left)
        if group.scattered:
            return base - page, *views
        return base - page, page, *views

    def _stray(self, pc: int) -> None:
        strays = self._strays[pc] = self._strays.get(pc, 0) + 1
        if strays == MOST_STRAYS:
            self._strayed({other for other, n in self._strays.items() if n > MOST_STRAYS // 4})
