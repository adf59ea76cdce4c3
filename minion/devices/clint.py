"""CLINT: mtime, mtimecmp and the software interrupt of one hart (SiFive's layout)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.bus import BusError
from minion.devices.lines import Lines

MSIP: Final = 0x0
MTIMECMP: Final = 0x4000
MTIME: Final = 0xBFF8
LENGTH: Final = 0x10000
TICK_NS: Final = 100
MSIP_BIT: Final = 1 << 3
MTIP_BIT: Final = 1 << 7
NEVER: Final = (1 << 64) - 1


class Clint:
    """mtime follows the host's monotonic time and cannot be written."""

    def __init__(self, now_ns: Callable[[], int], lines: Lines) -> None:
        self.now_ns = now_ns
        self._lines = lines
        self._msip = 0
        self.mtimecmp = NEVER
        self.counters = {"interrupts": 0}

    def reset(self) -> None:
        """mtime goes on."""
        self.mtimecmp = NEVER
        self._msip = 0
        self._lines.clear(MTIP_BIT | MSIP_BIT)

    def mtime(self) -> int:
        return self.now_ns() // TICK_NS

    def deadline_ns(self) -> int | None:
        """When the timer interrupt comes, unless it is pending or off."""
        if self.mtimecmp == NEVER:
            return None
        return self.mtimecmp * TICK_NS

    def poll(self) -> None:
        """Raise or clear the timer interrupt: the comparator, looked at whenever the hart runs."""
        if self.mtimecmp != NEVER and self.mtimecmp * TICK_NS <= self.now_ns():
            if not self._lines.mip & MTIP_BIT:
                self.counters["interrupts"] += 1
                self._lines.set(MTIP_BIT)
        elif self._lines.mip & MTIP_BIT:
            self._lines.clear(MTIP_BIT)

    def read(self, offset: int, size: int) -> int:
        for base, width, value in (
            (MTIMECMP, 8, self.mtimecmp),
            (MTIME, 8, self.mtime()),
            (MSIP, 4, self._msip),
        ):
            if base <= offset and offset + size <= base + width:
                return value >> (offset - base) * 8 & (1 << size * 8) - 1
        return 0  # registers of harts that are not there

    def write(self, offset: int, size: int, value: int) -> None:
        if size not in (4, 8):
            raise BusError(f"clint: {size}-byte store")
        if offset >= MTIMECMP and offset + size <= MTIMECMP + 8:
            shift = (offset - MTIMECMP) * 8
            mask = (1 << size * 8) - 1 << shift
            self.mtimecmp = self.mtimecmp & ~mask | value << shift & mask
            self.poll()
        elif offset == MSIP:
            self._msip = value & 1
            if self._msip:
                self._lines.set(MSIP_BIT)
            else:
                self._lines.clear(MSIP_BIT)
