"""Straight pieces of code, decoded once, and what an engine makes of them.

Theory of operation.  An engine looks a pc up in the map of the hart's context (privilege, address
space, FP on or off).  A miss translates the pc and looks in the table of physical addresses, which
sfence.vma leaves alone; a miss there decodes and builds.  The pages of RAM that hold decoded code
are watched: a store into 16 bytes of which some are code drops all blocks of the page, and all
maps.  fence.i, after which also code written unseen (by a device, by the host) must be fetched
anew, makes the next look at each block compare its bytes with memory.  An engine with a map of its
own asks `settle` for what is at a pc and where that lies.
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

NOWHERE: Final = -1
"""No physical address."""

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

    __slots__ = ("block", "data", "generation", "paddr", "second")

    def __init__(self, block: T, data: bytes, generation: int, paddr: int, second: int) -> None:
        self.block = block
        self.data = data
        self.generation = generation
        self.paddr = paddr
        self.second = second
        """Of its second half, where that lies in another page; else NOWHERE."""


Key = tuple[int, bool, frozenset[int], int]
"""pc, fp, breakpoints, Held.second"""


class Page(Generic[T]):
    """The blocks that begin in a page, and a bit for each granule of code."""

    __slots__ = ("blocks", "granules", "guests")

    def __init__(self) -> None:
        self.blocks: dict[Key, Held[T]] = {}
        self.granules = 0
        self.guests: list[tuple[int, Key]] = []
        """Blocks that end here, and the page that they begin in."""


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
        self.on_mark: list[Callable[[int, int], None]] = []
        """Called with the number of a physical page, and all of its granules that are code."""
        self.on_drop: list[Callable[[list[Held[T]] | None], None]] = []
        """Called with what is not in the physical table any more; None: with all of it."""
        self.on_doubt: list[Callable[[], None]] = []
        """Called when the bytes of all blocks are to be compared."""
        h.mmu.on_flush.append(self.empty)
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
            straight, _ = self._one(pc)
            block = self._make(straight)
        self.map()[pc] = block
        return block

    def held(self, pc: int) -> T | None:
        """The block at pc, if it is one whose page is watched.  Raises Trap, as find does."""
        held = self._within(pc)
        return None if held is None else held.block

    def settle(self, pc: int) -> Held[T]:
        """The block at pc and its place; paddr is NOWHERE if it has none.  Raises Trap."""
        held = self._within(pc)
        return self._across(pc) if held is None else held

    def _within(self, pc: int) -> Held[T] | None:
        """A block that lies in one page of RAM."""
        h = self._h
        if self._made >= LIMIT:
            self._forget()
        paddr = h.mmu.translate(pc, Access.FETCH, h.priv, 2)
        span = h.mmu.ram.span(paddr, PAGE - (paddr & OFFSET))
        if span is None or not h.pmp.whole(paddr):
            return None
        key = (pc, h.fp, h.breakpoints, NOWHERE)
        held = self._page(paddr).blocks.get(key)
        if held is None or not self._unchanged(held, span):
            straight = self._decode(pc, span)
            if not straight.code:
                return None
            data = bytes(span[: straight.end - pc & OFFSET or PAGE])
            held = self._hold(straight, data, paddr, key)
        return held

    def _across(self, pc: int) -> Held[T]:
        """One instruction: of two pages of RAM, or not to be held."""
        h = self._h
        straight, places = self._one(pc)
        raw = straight.code[0].raw.to_bytes(straight.code[0].length, "little")
        first, second = places[0], places[-1]
        whole = all(h.mmu.ram.span(p, 2) is not None and h.pmp.whole(p) for p in places)
        if not whole or len(places) == 1:
            return Held(self._make(straight), raw, self._generation, NOWHERE, NOWHERE)
        key = (pc, h.fp, h.breakpoints, second)
        held = self._page(first).blocks.get(key)
        if held is None or held.data != raw:
            held = self._hold(straight, raw, first, key)
            self._page(second).guests.append((first // PAGE, key))
        return held

    def _hold(self, straight: Straight, data: bytes, paddr: int, key: Key) -> Held[T]:
        held = Held(self._make(straight), data, self._generation, paddr, key[3])
        self._page(paddr).blocks[key] = held
        self._mark(paddr, len(data) if key[3] == NOWHERE else 2)
        return held

    def _make(self, straight: Straight) -> T:
        self._made += 1
        return self._build(straight)

    def _forget(self) -> None:
        """All blocks, to start anew."""
        for number in self._pages:
            self._h.mmu.unwatch(number * PAGE, self.stored)
        self._pages.clear()
        self._made = 0
        self._dropped(None)
        self.empty()

    def _dropped(self, blocks: list[Held[T]] | None) -> None:
        for function in self.on_drop:
            function(blocks)

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

    def _one(self, pc: int) -> tuple[Straight, list[int]]:
        """One instruction, by halves, and where they are: across two pages, or not in RAM."""
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
        return Straight(pc, (decoded,), pc + decoded.length & h.isa.mask), halves

    def _page(self, paddr: int) -> Page[T]:
        page = self._pages.get(paddr // PAGE)
        if page is None:
            page = self._pages[paddr // PAGE] = Page()
            self._h.mmu.watch(paddr, self.stored)
        return page

    def _mark(self, paddr: int, size: int) -> None:
        """These bytes of a page are code."""
        page, marked = self._page(paddr), granules(paddr & OFFSET, size)
        if marked & ~page.granules:
            page.granules |= marked
            for function in self.on_mark:
                function(paddr // PAGE, page.granules)

    def _unchanged(self, held: Held[T], span: memoryview) -> bool:
        if held.generation != self._generation:
            if span[: len(held.data)] != held.data:
                return False
            held.generation = self._generation
        return True

    def stored(self, paddr: int, size: int) -> None:
        """The watcher of pages with code."""
        if self._pages[paddr // PAGE].granules & granules(paddr & OFFSET, size):
            page = self._pages.pop(paddr // PAGE)
            self._h.mmu.unwatch(paddr, self.stored)
            dropped = list(page.blocks.values())
            for number, key in page.guests:
                if number in self._pages and (guest := self._pages[number].blocks.pop(key, None)):
                    dropped.append(guest)
            self._dropped(dropped)
            self.empty()
            for function in self.on_change:
                function()

    def empty(self) -> None:
        """Forget what is where, but not what it is."""
        for known in self._maps.values():
            known.clear()
        for function in self.on_forget:
            function()

    def _fence(self) -> None:
        self._generation += 1
        for function in self.on_doubt:
            function()
        self.empty()
