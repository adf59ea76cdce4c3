"""Straight pieces of code, decoded once, and what an engine makes of them.

Theory of operation.  An engine looks a pc up in the map of the hart's context (privilege, address
space, FP on or off).  A miss translates the pc and looks in the table of physical addresses, which
sfence.vma leaves alone; a miss there decodes and builds.  The pages of RAM that hold decoded code
are watched: a store into 16 bytes of which some are code drops all blocks of the page, and all
maps.  fence.i, after which also code written unseen (by a device, by the host) must be fetched
anew, makes the next look at each block compare its bytes with memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from minion.hart.decode import Decoded, Decoder
from minion.hart.encoding import Kind
from minion.hart.mmu import OFFSET, PAGE, Access
from minion.hart.state import Hart

MOST: Final = 64
"""Instructions in a block: the latency of an interrupt."""
GRANULE: Final = 16

T = TypeVar("T")


class Straight(NamedTuple):
    """Instructions that follow each other; only the last may be a branch, jump or SYSTEM one.

    A SYSTEM instruction is always alone.
    """

    pc: int
    code: tuple[Decoded, ...]
    end: int
    """The pc after it."""


class Held(Generic[T]):
    """A block in the physical table: valid in a generation, or if its bytes are the same."""

    __slots__ = ("block", "data", "generation")

    def __init__(self, block: T, data: bytes, generation: int) -> None:
        self.block = block
        self.data = data
        self.generation = generation


class Page(Generic[T]):
    """The blocks of one physical page, by (pc, fp), and a bit for each granule of code."""

    __slots__ = ("blocks", "granules")

    def __init__(self) -> None:
        self.blocks: dict[tuple[int, bool], Held[T]] = {}
        self.granules = 0


class Blocks(Generic[T]):
    def __init__(self, h: Hart, build: Callable[[Straight], T]) -> None:
        self._h = h
        self._build = build
        self._decoder = Decoder(h.isa)
        self._maps: dict[object, dict[int, T]] = {}
        self._pages: dict[int, Page[T]] = {}
        self._generation = 0
        h.mmu.on_flush.append(self._flush)
        h.mmu.on_fence.append(self._fence)

    def map(self) -> dict[int, T]:
        """The blocks known in the hart's context, by pc.  It is emptied in place."""
        context = self._h.context
        found = self._maps.get(context)
        if found is None:
            found = self._maps[context] = {}
        return found

    def find(self, pc: int) -> T:
        """The block at pc, which is then in the map.  Raises Trap if there is none to fetch."""
        h = self._h
        paddr = h.mmu.translate(pc, Access.FETCH, h.priv)
        span = h.mmu.ram.span(paddr, PAGE - (paddr & OFFSET))
        if span is None:
            block = self._build(self._one(pc))
        else:
            page = self._page(paddr)
            key = (pc, h.fp)
            held = page.blocks.get(key)
            if held is not None and self._unchanged(held, span):
                block = held.block
            else:
                straight = self.decode(pc, span) or self._one(pc)
                block = self._build(straight)
                size = straight.end - pc & OFFSET
                page.blocks[key] = Held(block, bytes(span[:size]), self._generation)
                self._mark(paddr, size)
        self.map()[pc] = block
        return block

    def decode(self, pc: int, span: memoryview) -> Straight | None:
        """From pc to a branch, or the end of the page; None if the first lies across it."""
        code: list[Decoded] = []
        mask = self._h.isa.mask
        fp = self._h.fp
        at, size = 0, len(span)
        while at < size and len(code) < MOST:
            word = span[at] | span[at + 1] << 8
            if word & 3 == 3:
                if at + 4 > size:
                    break
                word |= span[at + 2] << 16 | span[at + 3] << 24
            decoded = self._decoder.decode(word, pc + at & mask, fp)
            if decoded.kind is Kind.SYSTEM and code:
                break
            code.append(decoded)
            at += decoded.length
            if decoded.kind >= Kind.BRANCH:
                break
        return Straight(pc, tuple(code), pc + at & mask) if code else None

    def _one(self, pc: int) -> Straight:
        """One instruction, by halves: it lies across two pages, or not in RAM."""
        h = self._h
        word = h.mmu.fetch(pc)
        if word & 3 == 3:
            word |= h.mmu.fetch(pc + 2 & h.isa.mask) << 16
        decoded = self._decoder.decode(word, pc, h.fp)
        return Straight(pc, (decoded,), pc + decoded.length & h.isa.mask)

    def _page(self, paddr: int) -> Page[T]:
        page = self._pages.get(paddr // PAGE)
        if page is None:
            page = self._pages[paddr // PAGE] = Page()
            self._h.mmu.watch(paddr, self._stored)
        return page

    def _mark(self, paddr: int, size: int) -> None:
        """These bytes are code; the second half of an instruction may be in the next page."""
        while size > 0:
            part = min(size, PAGE - (paddr & OFFSET))
            first, last = (paddr & OFFSET) // GRANULE, ((paddr & OFFSET) + part - 1) // GRANULE
            self._page(paddr).granules |= (2 << last) - (1 << first)
            paddr += part
            size -= part

    def _unchanged(self, held: Held[T], span: memoryview) -> bool:
        if held.generation != self._generation:
            if span[: len(held.data)] != held.data:
                return False
            held.generation = self._generation
        return True

    def _stored(self, paddr: int, size: int) -> None:
        page = self._pages[paddr // PAGE]
        offset = paddr & OFFSET
        first, last = offset // GRANULE, (offset + size - 1) // GRANULE
        if page.granules & (2 << last) - (1 << first):
            del self._pages[paddr // PAGE]
            self._h.mmu.unwatch(paddr, self._stored)
            self._flush()

    def _flush(self) -> None:
        for known in self._maps.values():
            known.clear()

    def _fence(self) -> None:
        self._generation += 1
        self._flush()
