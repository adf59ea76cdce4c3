"""Memory as the hart sees it: virtual addresses, RAM, devices.

Theory of operation.  `load` and `store` look a virtual page up in h.reads and h.writes: what is
there is RAM that may be accessed in the present mode, and the entry is what turns an address into
an offset in RAM.  Everything else goes the slow way: translation, protection, devices, accesses
that are misaligned or cross a page.  The slow way fills the tables.  There is a pair of tables for
each mode (privilege, satp, SUM, MXR).  Changes of PMP empty all of them, and so does sfence.vma,
unless it is about an address of which nothing is held: no access, no fetch, no superpage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from minion.bus import Bus, BusError
from minion.hart.csr import SATP
from minion.hart.fields import (
    ACCESS_FAULT,
    MPP,
    MPP_SHIFT,
    MPRV,
    MXR,
    SUM,
    TVM,
    Access,
    Cause,
    M,
    S,
)
from minion.hart.paging import LEVELS, VPN_BITS, Scheme, Walker, scheme
from minion.hart.trap import Trap
from minion.ram import Ram

if TYPE_CHECKING:
    from minion.hart.state import Hart

PAGE: Final = 4096
OFFSET: Final = PAGE - 1
SHIFT: Final = 12
MODES: Final = 64
"""Pairs of tables kept: address spaces come and go."""

Watcher = Callable[[int, int], None]
"""Called after a store, with the physical address and size of it."""
Table = dict[int, int]


class Mmu:
    def __init__(self, h: Hart, bus: Bus, ram: Ram) -> None:
        self._h = h
        self._bus = bus
        self.ram = ram
        self._u8, self._u16, self._u32, self._u64 = ram.view, ram.u16, ram.u32, ram.u64
        self._walker = Walker(h, bus)
        self._data_priv = M
        self._scheme: Scheme | None = None
        self._tables: dict[object, tuple[Table, Table]] = {}
        self._watchers: dict[int, list[Watcher]] = {}
        self._fetched: set[int] = set()
        """Virtual pages, in any mode."""
        self._large: set[tuple[int, int]] = set()
        """Superpages met, in any mode: level and number."""
        self.key = M, 0, 0
        """What gives accesses to data their meaning: privilege, satp, SUM and MXR."""
        self.on_drop: list[Callable[[], None]] = []
        """Called when all tables are dropped."""
        self.on_flush: list[Callable[[], None]] = []
        """Called when all virtual addresses may mean something else."""
        self.on_page: list[Callable[[int], None]] = []
        """Called when an address may mean something else, after sfence.vma of it."""
        self.on_fence: list[Callable[[], None]] = []
        """Called when code may have changed unseen: fence.i."""
        self.on_watch: list[Callable[[int], None]] = []
        """Called when stores to a virtual page are no longer to be made unseen."""
        self.on_watcher: list[Callable[[int], None]] = []
        """Called when a physical page has a watcher more or less."""

    def switch(self) -> None:
        """Choose the tables for the hart's present mode."""
        h = self._h
        status, satp = h.mstatus, h.csr.value[SATP]
        priv = (status & MPP) >> MPP_SHIFT if status & MPRV and h.priv == M else h.priv
        self._data_priv = priv
        self._scheme = scheme(h.isa.xlen, satp)
        key = (priv, satp, status & (SUM | MXR)) if priv < M and self._scheme else (priv, 0, 0)
        self.key = key
        tables = self._tables.get(key)
        if tables is None:
            if len(self._tables) == MODES:
                self._drop()
            tables = self._tables[key] = ({}, {})
        h.reads, h.writes = tables
        h.context = (h.priv, satp if h.priv < M else 0, h.fp)

    def flush(self) -> None:
        """Forget all translations."""
        self._fetched.clear()
        self._large.clear()
        self._drop()
        for function in self.on_flush:
            function()
        self.switch()

    def _drop(self) -> None:
        self._tables.clear()
        for function in self.on_drop:
            function()

    def empty(self) -> None:
        """Forget all translations without a word: for an engine that has executed sfence.vma."""
        for reads, writes in self._tables.values():
            reads.clear()
            writes.clear()
        self._fetched.clear()
        self._large.clear()

    def sfence(self, rs1: int, addr: int, _rs2: int, _asid: int) -> None:
        """sfence.vma, with the numbers of its registers and what is in them.  Raises Trap.

        Of an address, in all address spaces; else of everything.
        """
        h = self._h
        if h.priv < S or (h.priv == S and h.mstatus & TVM):
            raise Trap(Cause.ILLEGAL, 0)
        if rs1 and not self._held(addr):
            for function in self.on_page:
                function(addr)
        else:
            self.flush()

    def _held(self, addr: int) -> bool:
        """Whether anything is known of the page at a virtual address."""
        page = addr >> SHIFT
        if page in self._fetched or self._superpage(page):
            return True
        return any(page in reads or page in writes for reads, writes in self._tables.values())

    def _superpage(self, page: int) -> bool:
        bits = VPN_BITS[self._h.isa.xlen]
        return any((level, page >> level * bits) in self._large for level in range(1, LEVELS))

    def code_changed(self) -> None:
        """Also for who writes code into RAM past the hart, as a loader does."""
        for function in self.on_fence:
            function()

    def watch(self, addr: int, watcher: Watcher) -> None:
        """Have the hart's stores to a physical page of RAM reported (devices' are not)."""
        page = addr >> SHIFT
        self._watchers.setdefault(page, []).append(watcher)
        offset = (page << SHIFT) - self.ram.base
        for _, writes in self._tables.values():
            stale = [v for v, delta in writes.items() if (v << SHIFT) + delta == offset]
            for virtual in stale:
                del writes[virtual]
                for function in self.on_watch:
                    function(virtual)
        self._watched(page)

    def unwatch(self, addr: int, watcher: Watcher) -> None:
        page = addr >> SHIFT
        watchers = self._watchers[page]
        watchers.remove(watcher)
        if not watchers:
            del self._watchers[page]
        self._watched(page)

    def _watched(self, page: int) -> None:
        for function in self.on_watcher:
            function(page)

    def watchers(self, page: int) -> list[Watcher]:
        """Of a physical page, by number."""
        return self._watchers.get(page, [])

    def watched_pages(self) -> list[int]:
        return list(self._watchers)

    def load(self, addr: int, size: int) -> int:
        """`size` bytes at a virtual address, unsigned.  Raises Trap."""
        try:
            offset = self._h.reads[addr >> 12] + addr
        except KeyError:
            return self._load(addr, size)
        if size == 8:
            if not addr & 7:
                return self._u64[offset >> 3]
        elif size == 4:
            if not addr & 3:
                return self._u32[offset >> 2]
        elif size == 1:
            return self._u8[offset]
        elif not addr & 1:
            return self._u16[offset >> 1]
        return self._load(addr, size)

    def store(self, addr: int, size: int, value: int) -> None:
        """0 <= value < 256**size.  Raises Trap."""
        try:
            offset = self._h.writes[addr >> 12] + addr
        except KeyError:
            self._store(addr, size, value)
            return
        if size == 8:
            if not addr & 7:
                self._u64[offset >> 3] = value
                return
        elif size == 4:
            if not addr & 3:
                self._u32[offset >> 2] = value
                return
        elif size == 1:
            self._u8[offset] = value
            return
        elif not addr & 1:
            self._u16[offset >> 1] = value
            return
        self._store(addr, size, value)

    def _load(self, addr: int, size: int) -> int:
        room = PAGE - (addr & OFFSET)
        if size > room:
            following = self._halves(addr, room, size - room, Access.LOAD)
            return self._load(addr, room) | self._load(following, size - room) << room * 8
        paddr = self.translate(addr, Access.LOAD, self._data_priv, size)
        span = self.ram.span(paddr, size)
        if span is None:
            return self._device_load(addr, paddr, size, Access.LOAD)
        if self._h.pmp.whole(paddr):
            self._h.reads[addr >> SHIFT] = paddr - self.ram.base - addr
        return int.from_bytes(span, "little")

    def _halves(self, addr: int, first: int, second: int, access: Access) -> int:
        """Of an access over the end of a page: both may be, and are RAM.  Where the second is."""
        following = addr + first & self._h.isa.mask
        for at, size in ((addr, first), (following, second)):
            paddr = self.translate(at, access, self._data_priv, size)
            if self.ram.span(paddr, size) is None:
                raise Trap(ACCESS_FAULT[access], at)
        return following

    def _device_load(self, addr: int, paddr: int, size: int, access: Access) -> int:
        try:
            if paddr & size - 1:
                raise BusError("misaligned")
            return self._bus.read(paddr, size)
        except BusError:
            raise Trap(ACCESS_FAULT[access], addr) from None

    def _store(self, addr: int, size: int, value: int) -> None:
        room = PAGE - (addr & OFFSET)
        if size > room:
            following = self._halves(addr, room, size - room, Access.STORE)
            self._store(addr, room, value & (1 << room * 8) - 1)
            self._store(following, size - room, value >> room * 8)
            return
        paddr = self.translate(addr, Access.STORE, self._data_priv, size)
        span = self.ram.span(paddr, size)
        if span is None:
            self._device_store(addr, paddr, size, value)
            return
        span[:] = value.to_bytes(size, "little")
        watchers = self._watchers.get(paddr >> SHIFT)
        if watchers is not None:
            for watcher in tuple(watchers):
                watcher(paddr, size)
        elif self._h.pmp.whole(paddr):
            self._h.writes[addr >> SHIFT] = paddr - self.ram.base - addr

    def _device_store(self, addr: int, paddr: int, size: int, value: int) -> None:
        try:
            if paddr & size - 1:
                raise BusError("misaligned")
            self._bus.write(paddr, size, value)
        except BusError:
            raise Trap(Cause.STORE_ACCESS, addr) from None

    def amo_load(self, addr: int, size: int) -> int:
        """The first half of an atomic operation; faults are those of a store."""
        if addr & size - 1:
            raise Trap(Cause.STORE_MISALIGNED, addr)
        offset = self._h.writes.get(addr >> SHIFT)
        if offset is not None:
            return self._u64[offset + addr >> 3] if size == 8 else self._u32[offset + addr >> 2]
        paddr = self.translate(addr, Access.STORE, self._data_priv, size)
        return self._device_load(addr, paddr, size, Access.STORE)

    def load_reserved(self, addr: int, size: int) -> int:
        if addr & size - 1:
            raise Trap(Cause.LOAD_MISALIGNED, addr)
        value = self._h.load(addr, size)
        self._h.reservation = (addr, size, value)
        return value

    def store_conditional(self, addr: int, size: int, value: int) -> int:
        """0 if the reservation is for addr and the value there is still the one that LR saw.

        As QEMU does: without a reservation memory is not touched, so that nothing faults.
        """
        if addr & size - 1:
            raise Trap(Cause.STORE_MISALIGNED, addr)
        h = self._h
        if h.reservation is None or h.reservation[:2] != (addr, size):
            h.reservation = None
            return 1
        failed = self.amo_load(addr, size) != h.reservation[2]
        if not failed:
            h.store(addr, size, value)
        h.reservation = None
        return int(failed)

    def fetch(self, addr: int) -> tuple[int, int]:
        """The 16 bits of code at a virtual address, and their physical address."""
        paddr = self.translate(addr, Access.FETCH, self._h.priv, 2)
        return self._device_load(addr, paddr, 2, Access.FETCH), paddr

    def translate(self, addr: int, access: Access, priv: int, size: int = 1) -> int:
        """The physical address of `size` bytes (in one page) at a virtual one.  Raises Trap."""
        how = self._scheme
        paddr = addr
        if how is not None and priv < M:
            paddr, level = self._walker.translate(addr, access, priv, how)
            if level:
                self._large.add((level, addr >> SHIFT + level * how.vpn_bits))
        if not self._h.pmp.permits(paddr, size, access, priv):
            raise Trap(ACCESS_FAULT[access], addr)
        if access is Access.FETCH:
            self._fetched.add(addr >> SHIFT)
        return paddr
