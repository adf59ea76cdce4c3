"""The minion's clock: mtime, mtimecmp, and the wall time it was booted at.

mtimecmp is written when the machine is about to wait, not at each set_alarm: most deadlines are
replaced before they come, and interrupts are taken only between threads anyway.
"""

from __future__ import annotations

from typing import Final

from hypercalls.bare.machine import CLINT, TICK_NS, Machine
from hypercalls.common.clock import SoftClock
from hypercalls.common.scheduler import Scheduler

MTIMECMP: Final = CLINT + 0x4000
NEVER: Final = (1 << 64) - 1


class ClintClock(SoftClock):
    """A SoftClock whose tick is the machine timer interrupt."""

    def __init__(self, machine: Machine, scheduler: Scheduler, boot_wall_ns: int) -> None:
        now = machine.monotonic_ns
        offset = boot_wall_ns - now()
        super().__init__(scheduler, now, lambda: offset + now())
        self._machine = machine
        self._programmed = NEVER

    def interrupt(self) -> None:
        """MTIP: the comparator is moved away first, which lowers the line."""
        self._write(NEVER)
        self.tick()
        self.changed = True

    def program(self) -> None:
        """Set the comparator to the next deadline, never early: mtime is coarser than ns."""
        if not self.changed:
            return
        self.changed = False
        due = self.next_ns()
        compare = NEVER if due is None else max(-(-due // TICK_NS), 0)
        if compare != self._programmed:
            self._write(compare)

    def _write(self, compare: int) -> None:
        self._programmed = compare
        self._machine.write(MTIMECMP, 8, compare)
