"""What tlb.h has to know of the hart: regimes, PMP, and which pages of RAM hold code."""

from __future__ import annotations

from mmap import mmap
from typing import TYPE_CHECKING, Final, NamedTuple

from minion.hart.blocks import Blocks
from minion.hart.csr import SATP
from minion.hart.fields import MXR, SUM, TVM, M, S
from minion.hart.interpreter import Block
from minion.hart.mmu import SHIFT
from minion.hart.native._core import ffi, lib
from minion.hart.paging import SV32, VPN_BITS, scheme
from minion.hart.state import Hart

if TYPE_CHECKING:
    from minion.hart.native._core import State

GRANULE_BYTES: Final = 32
"""Of a page: a bit for each 16 bytes."""
ASID: Final = {32: (22, 0x1FF), 64: (44, 0xFFFF)}
"""In satp, by xlen: shift and mask (privileged, 4.1.11)."""
PPN_BITS: Final = 44


class Meaning(NamedTuple):
    """What a regime is made of."""

    priv: int
    satp: int
    bits: int
    """SUM and MXR of mstatus; for a fetch they do not count."""


def address(view: memoryview) -> int:
    """Where the bytes are.  The view is not held: it must live as long as its address is used.

    (Held, and garbage with it in a cycle, a memoryview is a crash of CPython 3.11.)
    """
    held = ffi.from_buffer(view)
    found = int(ffi.cast("uintptr_t", held))
    ffi.release(held)
    return found


class Memory:
    def __init__(self, hart: Hart, state: State, blocks: Blocks[Block]) -> None:
        self._hart = hart
        self._state = state
        self._blocks = blocks
        ram = hart.mmu.ram
        pages = ram.size >> SHIFT
        self._first = ram.base >> SHIFT
        self._watched = memoryview(mmap(-1, pages))
        self._granules = memoryview(mmap(-1, pages * GRANULE_BYTES))
        self._regimes: dict[Meaning, int] = {}
        self._context: object = None
        self._key: object = None
        state.ram, state.ram_base, state.ram_bytes = address(ram.view), ram.base, ram.size
        state.watched = ffi.cast("unsigned char *", address(self._watched))
        state.granules = ffi.cast("uint64_t *", address(self._granules))
        state.mask, state.pte_bytes = hart.isa.mask, hart.isa.xlen // 8
        state.vpn_bits = VPN_BITS[hart.isa.xlen]
        state.ppn_bits = SV32.ppn_bits if hart.isa.xlen == 32 else PPN_BITS
        lib.start(state)
        mmu = hart.mmu
        mmu.on_flush.append(lambda: lib.flush_all(state))
        hart.pmp.on_change.append(self._protected)
        mmu.on_page.append(lambda addr: lib.flush_page(state, addr))
        mmu.on_watcher.append(self._watchers_changed)
        blocks.on_mark.append(self._marked)
        for page in mmu.watched_pages():
            self._watchers_changed(page)
        self._protected()

    def enter(self) -> None:
        """Have the hart's mode be that of the engine."""
        h = self._hart
        if h.context is self._context and h.mmu.key is self._key:
            return
        self._context, self._key = h.context, h.mmu.key
        s, satp = self._state, h.csr.value[SATP]
        data = Meaning(*h.mmu.key)
        code = Meaning(h.priv, satp if h.priv < M else 0, 0)
        if not {data, code} <= self._regimes.keys() and len(self._regimes) + 2 > lib.REGIMES:
            self._regimes.clear()
        lib.enter(s, self._regime(data), self._regime(code))
        s.fp = int(h.fp)
        s.may_fence = int(h.priv > S or (h.priv == S and not h.mstatus & TVM))

    def _regime(self, meaning: Meaning) -> int:
        """Its number."""
        number = self._regimes.get(meaning)
        if number is None:
            number = self._regimes[meaning] = len(self._regimes)
            self._fill(number, meaning)
        return number

    def _fill(self, number: int, meaning: Meaning) -> None:
        xlen, satp = self._hart.isa.xlen, meaning.satp
        how = scheme(xlen, satp)
        shift, mask = ASID[xlen]
        regime = self._state.regimes[number]
        regime.tag, regime.priv = 0, meaning.priv
        regime.sum, regime.mxr = meaning.bits & SUM != 0, meaning.bits & MXR != 0
        regime.levels = how.levels if how is not None else 0
        regime.root = (satp & (1 << how.ppn_bits) - 1) << SHIFT if how is not None else 0
        regime.asid = satp >> shift & mask
        self._state.regimes_used = number + 1

    def fenced(self) -> None:
        """If C has executed sfence.vma, the others forget too."""
        if self._state.fenced:
            self._state.fenced = 0
            self._hart.mmu.empty()
            self._blocks.empty()

    def _protected(self) -> None:
        """PMP has changed."""
        s, regions = self._state, self._hart.pmp.regions
        for n, (first, last, cfg) in enumerate(regions):
            region = s.regions[n]
            region.first, region.last, region.cfg = first, last, cfg
        s.regions_on = len(regions)
        lib.flush_all(s)

    def _watchers_changed(self, page: int) -> None:
        watchers = self._hart.mmu.watchers(page)
        if not watchers:
            self._granules_of(page)[:] = bytes(GRANULE_BYTES)
        alone = watchers == [self._blocks.stored]
        how = lib.DECODED if alone else lib.WATCHED if watchers else lib.UNWATCHED
        lib.watch(self._state, page - self._first, how)

    def _marked(self, page: int, granules: int) -> None:
        self._granules_of(page)[:] = granules.to_bytes(GRANULE_BYTES, "little")

    def _granules_of(self, page: int) -> memoryview:
        at = (page - self._first) * GRANULE_BYTES
        return self._granules[at : at + GRANULE_BYTES]
