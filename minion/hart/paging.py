"""Address translation by page tables (privileged architecture, 4.3 to 4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from minion.bus import Bus, BusError
from minion.hart.csr import SATP
from minion.hart.fields import ACCESS_FAULT, MXR, PAGE_FAULT, SUM, Access, S, U
from minion.hart.trap import Trap

if TYPE_CHECKING:
    from minion.hart.state import Hart

V, PTE_R, PTE_W, PTE_X, PTE_U, PTE_A, PTE_D = 1, 2, 4, 8, 16, 64, 128
SHIFT: Final = 12
OFFSET: Final = (1 << SHIFT) - 1


class Scheme(NamedTuple):
    levels: int
    vpn_bits: int
    pte_bytes: int
    ppn_bits: int

    @property
    def virtual_bits(self) -> int:
        return SHIFT + self.levels * self.vpn_bits


SV32: Final = Scheme(2, 10, 4, 22)
SCHEMES: Final = {
    32: {1: SV32},
    64: {8: Scheme(3, 9, 8, 44), 9: Scheme(4, 9, 8, 44), 10: Scheme(5, 9, 8, 44)},
}
"""By xlen and satp.MODE: Sv32; Sv39, Sv48, Sv57.  Mode 0 is no translation."""
LEVELS: Final = 5
"""At most."""
VPN_BITS: Final = {32: 10, 64: 9}
"""By xlen."""


def scheme(xlen: int, satp: int) -> Scheme | None:
    return SCHEMES[xlen].get(satp >> (31 if xlen == 32 else 60))


class Walker:
    def __init__(self, h: Hart, bus: Bus) -> None:
        self._h = h
        self._bus = bus

    def translate(self, addr: int, access: Access, priv: int, how: Scheme) -> tuple[int, int]:
        """The physical address, and the level of its page (4.3.2).  Raises Trap.

        A and D bits are set, as QEMU does.
        """
        h = self._h
        if h.isa.xlen == 64:
            top = addr >> how.virtual_bits - 1
            if top not in (0, (1 << 65 - how.virtual_bits) - 1):
                raise Trap(PAGE_FAULT[access], addr)
        ppn_mask = (1 << how.ppn_bits) - 1
        table = (h.csr.value[SATP] & ppn_mask) << SHIFT
        for level in reversed(range(how.levels)):
            low = SHIFT + level * how.vpn_bits
            index = addr >> low & (1 << how.vpn_bits) - 1
            place = table + index * how.pte_bytes
            pte = self._read(place, how, addr, access)
            if not pte & V or (pte & PTE_W and not pte & PTE_R) or pte >> 10 + how.ppn_bits:
                break
            if pte & (PTE_R | PTE_X):
                base = pte >> 10 << SHIFT
                if base & (1 << low) - 1 or not self._permits(pte, access, priv):
                    break  # a misaligned superpage, or not for this
                self._touch(place, pte, how, addr, access)
                return base | addr & (1 << low) - 1, level
            if pte & (PTE_D | PTE_A | PTE_U):
                break
            table = (pte >> 10 & ppn_mask) << SHIFT
        raise Trap(PAGE_FAULT[access], addr)

    def _permits(self, pte: int, access: Access, priv: int) -> bool:
        status = self._h.mstatus
        if pte & PTE_U:
            if priv == S and (access is Access.FETCH or not status & SUM):
                return False
        elif priv == U:
            return False
        if access is Access.STORE:
            return pte & PTE_W != 0
        if access is Access.FETCH:
            return pte & PTE_X != 0
        return pte & PTE_R != 0 or (status & MXR != 0 and pte & PTE_X != 0)

    def _read(self, place: int, how: Scheme, addr: int, access: Access) -> int:
        try:
            if self._h.pmp.permits(place, how.pte_bytes, Access.LOAD, S):
                return self._bus.read(place, how.pte_bytes)
        except BusError:
            pass
        raise Trap(ACCESS_FAULT[access], addr)

    def _touch(self, place: int, pte: int, how: Scheme, addr: int, access: Access) -> None:
        """Set A, and D for a store.  Of an entry that is not in RAM, as on QEMU: a page fault."""
        new = pte | PTE_A | (PTE_D if access is Access.STORE else 0)
        if new == pte:
            return
        if self._h.mmu.ram.span(place, how.pte_bytes) is None:
            raise Trap(PAGE_FAULT[access], addr)
        if not self._h.pmp.permits(place, how.pte_bytes, Access.STORE, S):
            raise Trap(ACCESS_FAULT[access], addr)
        self._bus.write(place, how.pte_bytes, new)
