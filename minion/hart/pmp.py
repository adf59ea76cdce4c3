"""Physical memory protection (privileged architecture, 3.7): 16 entries, granularity 4 bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.hart.fields import Access, M

ENTRIES: Final = 16
R: Final = 1
W: Final = 2
X: Final = 4
A_SHIFT: Final = 3
LOCK: Final = 0x80
OFF, TOR, NA4, NAPOT = range(4)
WRITABLE: Final = LOCK | 3 << A_SHIFT | X | W | R
NEEDS: Final = (R, W, X)
"""By Access."""
PAGE: Final = 4096
ALL: Final = (1 << 54) - 1


def a_field(cfg: int) -> int:
    return cfg >> A_SHIFT & 3


class Pmp:
    def __init__(self, address_bits: int) -> None:
        """address_bits: what pmpaddr holds, 54 on RV64 and 32 on RV32."""
        self._mask = (1 << address_bits) - 1
        self.on_change: list[Callable[[], None]] = []
        self.reset()

    def reset(self) -> None:
        self.cfg = [0] * ENTRIES
        self.addr = [0] * ENTRIES
        self.regions: list[tuple[int, int, int]] = []
        """First and last byte, cfg: of the entries that are on."""
        self._changed()

    def allow_all(self) -> None:
        """S and U may access everything: entry 0, for callers that are M mode themselves."""
        self.write_addr(0, ALL)
        self.write_cfg(0, NAPOT << A_SHIFT | X | W | R)

    def write_cfg(self, index: int, value: int) -> None:
        if self.cfg[index] & LOCK:
            return
        value &= WRITABLE
        if not value & R:
            value &= ~W  # writable but not readable is reserved
        self.cfg[index] = value
        self._update()

    def write_addr(self, index: int, value: int) -> None:
        above = self.cfg[index + 1] if index + 1 < ENTRIES else 0
        if self.cfg[index] & LOCK or (above & LOCK and a_field(above) == TOR):
            return
        self.addr[index] = value & self._mask
        self._update()

    def _update(self) -> None:
        self.regions = []
        for index, (cfg, addr) in enumerate(zip(self.cfg, self.addr, strict=True)):
            match a_field(cfg):
                case 1:  # TOR
                    first = self.addr[index - 1] << 2 if index else 0
                    last = (addr << 2) - 1
                case 2:  # NA4
                    first, last = addr << 2, (addr << 2) + 3
                case 3:  # NAPOT: the trailing ones say how large
                    ones = addr ^ addr + 1
                    first = (addr & ~ones) << 2
                    last = first + (ones << 2 | 3)
                case _:
                    continue
            if first <= last:
                self.regions.append((first, last, cfg))
        self._changed()

    def _changed(self) -> None:
        for function in self.on_change:
            function()

    def permits(self, paddr: int, size: int, access: Access, priv: int) -> bool:
        """The lowest entry with any byte of the access decides; it must have all of them."""
        end = paddr + size - 1
        for first, last, cfg in self.regions:
            if paddr <= last and first <= end:
                if paddr < first or last < end:
                    return False
                return (priv == M and not cfg & LOCK) or cfg & NEEDS[access] != 0
        return priv == M

    def whole(self, paddr: int) -> bool:
        """Whether all of a page has the same permissions."""
        page = paddr & -PAGE
        end = page + PAGE - 1
        for first, last, _ in self.regions:
            if page <= last and first <= end:
                return first <= page and end <= last
        return True
