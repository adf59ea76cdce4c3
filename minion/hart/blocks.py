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
from minion.hart.fields import Access
from minion.hart.mmu import MODES, OFFSET, PAGE
from minion.hart.state import Hart, Stop

MOST: Final = 64
"""Instructions in a block: the latency of an interrupt."""
GRANULE: Final = 16
LIMIT: Final = 50_000
"""Blocks kept, of some 2 kB: a program may jump to every halfword there is."""

T = TypeVar("T")


def at_breakpoint(h: Hart, pc: int) -> int:
    """In place of the instruction at a breakpoint: stop before it, and nothing has happened."""
    h.stopping = Stop.BREAK
    h.instret -= 1
    h.cycles -= h.cost.system
    return pc


def granules(offset: int, size: int) -> int:
    """A bit for each granule of a page that some of these bytes are in."""
    return (2 << (offset + size - 1) // GRANULE) - (1 << offset // GRANULE)


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
    """The blocks of a page, by (pc, fp, breakpoints), and a bit for each granule of code."""

    __slots__ = ("blocks", "granules")

    def __init__(self) -> None:
        self.blocks: dict[tuple[int, bool, frozenset[int]], Held[T]] = {}
        self.granules = 0


class Blocks(Generic[T]):
    def __init__(self, h: Hart, build: Callable[[Straight], T]) -> None:
        self._h = h
        self._build = build
        self._decoder = Decoder(h.isa)
        self._maps: dict[object, dict[int, T]] = {}
        self._pages: dict[int, Page[T]] = {}
        self._generation = 0
        self._made = 0
        self.on_change: list[Callable[[], None]] = []
        """Called when a store has changed code, the current block's perhaps."""
        self.on_forget: list[Callable[[], None]] = []
        """Called when the maps are emptied."""
        self.on_mark: list[Callable[[], None]] = []
        """Called when what was no code before has become code."""
        h.mmu.on_flush.append(self._flush)
        h.mmu.on_fence.append(self._fence)

    def map(self) -> dict[int, T]:
        """The blocks known in the hart's context, by pc.  It is emptied in place."""
        context = self._h.context
        found = self._maps.get(context)
        if found is None:
            if len(self._maps) == MODES:
                self._maps.clear()
            found = self._maps[context] = {}
        return found

    def find(self, pc: int) -> T:
        """The block at pc, which is then in the map.  Raises Trap if there is none to fetch."""
        block = self.held(pc)
        if block is None:
            block = self._make(self._one(pc))
        self.map()[pc] = block
        return block

    def held(self, pc: int) -> T | None:
        """The block at pc, if it is one whose page is watched.  Raises Trap, as find does."""
        h = self._h
        if self._made >= LIMIT:
            self._forget()
        paddr = h.mmu.translate(pc, Access.FETCH, h.priv, 2)
        span = h.mmu.ram.span(paddr, PAGE - (paddr & OFFSET))
        if span is not None and h.pmp.whole(paddr):
            return self._from_page(paddr, pc, span)
        return None

    def _from_page(self, paddr: int, pc: int, span: memoryview) -> T | None:
        """The block from the table of physical addresses, or decoded and put there."""
        page = self._page(paddr)
        key = (pc, self._h.fp, self._h.breakpoints)
        held = page.blocks.get(key)
        if held is None or not self._unchanged(held, span):
            straight = self._decode(pc, span)
            if not straight.code:
                return None
            size = straight.end - pc & OFFSET or PAGE
            held = Held(self._make(straight), bytes(span[:size]), self._generation)
            page.blocks[key] = held
            self._mark(paddr, size)
        return held.block

    def _make(self, straight: Straight) -> T:
        self._made += 1
        return self._build(straight)

    def _forget(self) -> None:
        """All blocks, to start anew."""
        for number in self._pages:
            self._h.mmu.unwatch(number * PAGE, self._stored)
        self._pages.clear()
        self._made = 0
        self._flush()

    def _decode(self, pc: int, span: memoryview) -> Straight:
        """From pc to a branch, or the end of the page.  Empty if the first lies across it."""
        code: list[Decoded] = []
        mask = self._h.isa.mask
        at, size = 0, len(span)
        while at < size and len(code) < MOST:
            word = span[at] | span[at + 1] << 8
            if word & 3 == 3:
                if at + 4 > size:
                    break
                word |= span[at + 2] << 16 | span[at + 3] << 24
            decoded = self._instruction(word, pc + at & mask)
            if decoded.kind is Kind.SYSTEM and code:
                break
            code.append(decoded)
            at += decoded.length
            if decoded.kind >= Kind.BRANCH:
                break
        return Straight(pc, tuple(code), pc + at & mask)

    def _instruction(self, word: int, pc: int) -> Decoded:
        h = self._h
        if pc in h.breakpoints:  # a SYSTEM instruction: alone in its block, so nothing else counts
            length = 4 if word & 3 == 3 else 2
            return Decoded("breakpoint", at_breakpoint, (pc,), length, word, Kind.SYSTEM)
        return self._decoder.decode(word, pc, h.fp)

    def _one(self, pc: int) -> Straight:
        """One instruction, by halves: it lies across two pages, or not in RAM."""
        h = self._h
        word, paddr = h.mmu.fetch(pc)
        halves = [paddr]
        if word & 3 == 3:
            high, paddr = h.mmu.fetch(pc + 2 & h.isa.mask)
            halves.append(paddr)
            word |= high << 16
        for paddr in halves:
            if h.mmu.ram.span(paddr, 2) is not None:
                self._mark(paddr, 2)
        decoded = self._instruction(word, pc)
        return Straight(pc, (decoded,), pc + decoded.length & h.isa.mask)

    def _page(self, paddr: int) -> Page[T]:
        page = self._pages.get(paddr // PAGE)
        if page is None:
            page = self._pages[paddr // PAGE] = Page()
            self._h.mmu.watch(paddr, self._stored)
        return page

    def _mark(self, paddr: int, size: int) -> None:
        """These bytes of a page are code."""
        page, marked = self._page(paddr), granules(paddr & OFFSET, size)
        if marked & ~page.granules:
            page.granules |= marked
            for function in self.on_mark:
                function()

    def beside(self, addr: int) -> tuple[int, int] | None:
        """Of a virtual page that has just been stored to, and is watched for code only: that.

        What h.writes would have for it, and a bit for each granule that is code: what is beside
        them may be stored to unseen, until on_mark.
        """
        paddr = self._h.mmu.watched_by(addr, self._stored)
        if paddr is None:
            return None
        return paddr - self._h.mmu.ram.base - addr, self._pages[paddr // PAGE].granules

    def _unchanged(self, held: Held[T], span: memoryview) -> bool:
        if held.generation != self._generation:
            if span[: len(held.data)] != held.data:
                return False
            held.generation = self._generation
        return True

    def _stored(self, paddr: int, size: int) -> None:
        if self._pages[paddr // PAGE].granules & granules(paddr & OFFSET, size):
            del self._pages[paddr // PAGE]
            self._h.mmu.unwatch(paddr, self._stored)
            self._flush()
            for function in self.on_change:
                function()

    def _flush(self) -> None:
        for known in self._maps.values():
            known.clear()
        for function in self.on_forget:
            function()

    def _fence(self) -> None:
        self._generation += 1
        self._flush()
