"""PLIC: priorities, enables and claims of up to 95 sources for the M and S contexts of one hart.

Theory of operation (RISC-V PLIC 1.0.0).  Sources are level triggered.  A source that is up and not
being served is pending; a claim takes the best pending source and holds it back until it is
completed; a source still up then is pending again.  QEMU's PLIC does not look at the level then: a
source that has not been driven meanwhile is done with.  Sources named by `as_qemu` are like that.
`_masks` caches, per context, the sources that are enabled and above the threshold, so that a usual
change of a level is two ANDs.
"""

from __future__ import annotations

from typing import Final

from minion.bus import BusError
from minion.devices.lines import Lines

SOURCES: Final = 96
PENDING: Final = 0x1000
ENABLE: Final = 0x2000
ENABLE_STRIDE: Final = 0x80
CONTEXT: Final = 0x20_0000
CONTEXT_STRIDE: Final = 0x1000
LENGTH: Final = 0x60_0000
"""As on QEMU's virt."""
CONTEXTS: Final = 2
MEIP: Final = 1 << 11
"""What context 0 drives."""
SEIP: Final = 1 << 9
"""What context 1 drives."""
CLAIM0: Final = CONTEXT + 4
MAX_PRIORITY: Final = 7


class Plic:
    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._priority = [0] * SOURCES
        self._enable = [0] * CONTEXTS
        self._threshold = [0] * CONTEXTS
        self._masks = [0] * CONTEXTS
        self._bits = 0
        self._level = 0
        self._pending = 0
        self._claimed = 0
        self._as_qemu = 0
        self._again = 0
        """Of these, those that were driven up while they were being served."""
        self.counters = {"claims": 0}
        self.interrupts = [0] * SOURCES
        """Claims per source."""

    def as_qemu(self, source: int) -> None:
        """For a device whose drivers rely on it: one that drives its line up at each event."""
        self._as_qemu |= 1 << source

    def reset(self) -> None:
        """Sources that are up stay up."""
        self._priority = [0] * SOURCES
        self._enable = [0] * CONTEXTS
        self._threshold = [0] * CONTEXTS
        self._claimed = self._again = 0
        self._pending = self._level
        self._configure()

    def drive(self, source: int, level: bool) -> None:
        """The source's line goes up or down; an interrupt nobody claimed goes with it."""
        bit = 1 << source
        if level:
            self._level |= bit
            if not (self._pending | self._claimed) & bit:
                self._pending |= bit
                if not self._bits & MEIP or self._masks[1]:
                    self._signal()
            elif self._claimed & bit:
                self._again |= bit
        else:
            self._level &= ~bit
            self._again &= ~bit
            if self._pending & bit:
                self._pending &= ~bit
                self._signal()

    def _signal(self) -> None:
        pending = self._pending
        machine, supervisor = self._masks
        bits = MEIP if pending & machine else 0
        if supervisor and pending & supervisor:
            bits |= SEIP
        if bits != self._bits:
            self._bits = bits
            lines = self._lines
            old = lines.mip
            lines.mip = new = old & ~(MEIP | SEIP) | bits
            if new & ~old and lines.wake is not None:
                lines.wake()

    def _configure(self) -> None:
        """Recompute the masks after a change of priority, enable or threshold."""
        for context, threshold in enumerate(self._threshold):
            mask = 0
            for source in range(1, SOURCES):
                if self._priority[source] > threshold:
                    mask |= 1 << source
            self._masks[context] = mask & self._enable[context]
        self._signal()

    def _claim(self, context: int) -> int:
        """The pending source of highest priority, the lowest number among equals; 0: none."""
        ready = self._pending & self._masks[context]
        if not ready:
            return 0
        best = (ready & -ready).bit_length() - 1
        rest = ready & ready - 1  # nearly always nothing
        while rest:
            source = (rest & -rest).bit_length() - 1
            if self._priority[source] > self._priority[best]:
                best = source
            rest &= rest - 1
        self._pending &= ~(1 << best)
        self._claimed |= 1 << best
        self.counters["claims"] += 1
        self.interrupts[best] += 1
        self._signal()
        return best

    def _complete(self, context: int, source: int) -> None:
        bit = 1 << source if source < SOURCES else 0
        if not bit & self._claimed & self._enable[context]:
            return  # the specification has completions of others ignored
        self._claimed &= ~bit
        up = self._again if bit & self._as_qemu else self._level
        self._again &= ~bit
        if up & bit:
            self._pending |= bit
            self._signal()

    def read(self, offset: int, size: int) -> int:
        if offset == CLAIM0 and size == 4:
            ready = self._pending & self._masks[0]
            if not ready or ready & ready - 1 or self._masks[1]:
                return self._claim(0)
            # one source and one context: nearly every claim, written out
            self._pending &= ~ready
            self._claimed |= ready
            self._bits = 0
            self._lines.mip &= ~MEIP
            source = ready.bit_length() - 1
            self.counters["claims"] += 1
            self.interrupts[source] += 1
            return source
        if offset >= CONTEXT:
            context, register = divmod(offset - CONTEXT, CONTEXT_STRIDE)
            if context < CONTEXTS and size == 4:
                if register == 4:
                    return self._claim(context)
                if register == 0:
                    return self._threshold[context]
            return 0
        if size != 4 or offset % 4:
            raise BusError("plic: registers are 32 bits wide")
        if offset >= ENABLE:
            context, byte = divmod(offset - ENABLE, ENABLE_STRIDE)
            if context < CONTEXTS:
                return self._enable[context] >> byte * 8 & 0xFFFF_FFFF
            return 0
        if offset >= PENDING:
            return self._pending >> (offset - PENDING) * 8 & 0xFFFF_FFFF
        source = offset // 4
        return self._priority[source] if source < SOURCES else 0

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == CLAIM0 and size == 4:
            self._complete(0, value)
            return
        if size != 4 or offset % 4:
            raise BusError("plic: registers are 32 bits wide")
        if offset >= CONTEXT:
            context, register = divmod(offset - CONTEXT, CONTEXT_STRIDE)
            if context >= CONTEXTS:
                return
            if register == 4:
                self._complete(context, value)
            elif register == 0:
                self._threshold[context] = min(value, MAX_PRIORITY)
                self._configure()
        elif offset >= ENABLE:
            context, byte = divmod(offset - ENABLE, ENABLE_STRIDE)
            if context < CONTEXTS and byte * 8 < SOURCES:
                mask = 0xFFFF_FFFF << byte * 8
                enable = self._enable[context] & ~mask | value << byte * 8
                self._enable[context] = enable & (1 << SOURCES) - 2  # there is no source 0
                self._configure()
        elif 0 < offset // 4 < SOURCES:
            self._priority[offset // 4] = min(value, MAX_PRIORITY)
            self._configure()
