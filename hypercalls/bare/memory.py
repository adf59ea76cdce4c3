"""Memory of the minion: a binary buddy over RAM, with a rack of free blocks per size in front.

Theory of operation.  Sizes are rounded up: to a power of two from 256 bytes to 4 KiB, above that to
1/32 of the next power of two, so that a 65,561-byte receive buffer costs 68 KiB and not 128.  A
block is cut from the smallest free buddy that holds it, and what is left of that buddy goes back at
once.  Freed blocks first go to the rack of their size, whence the next alloc takes them without any
splitting and joining; a full rack, or an alloc that finds nothing, sends them on to the buddy,
which joins them.  Blocks carry no header: nothing in RAM is trusted, and a buffer frees itself,
exactly once, in __del__, so there is no double free to detect.

__del__ may run inside any allocation (cyclic garbage), even inside this file.  Every step therefore
leaves the free sets true: a block in hand is in no set, and taking a buddy is one operation.
"""

from __future__ import annotations

from collections.abc import Callable

GRAIN_SHIFT = 8
GRAIN = 1 << GRAIN_SHIFT
PAGE_SHIFT = 12
PAGE = 1 << PAGE_SHIFT
FRACTION_SHIFT = 5
RACK = 256
"""Blocks kept per size before they are joined again."""


def rounded(size_bytes: int) -> int:
    """What an allocation of size_bytes takes."""
    if size_bytes <= GRAIN:
        return GRAIN
    shift = (size_bytes - 1).bit_length()
    if shift <= PAGE_SHIFT:
        return 1 << shift
    fraction = max(shift - FRACTION_SHIFT, GRAIN_SHIFT)
    return -(-size_bytes >> fraction) << fraction


class Buddy:
    """Free blocks of 2**k grains, by address offset."""

    def __init__(self, start: int, end: int) -> None:
        self.free: list[set[int]] = [set() for _ in range(end.bit_length() + 1)]
        self.give(start, end - start)

    def give(self, offset: int, size: int) -> None:
        """Free a grain-aligned run of any size."""
        end = offset + size
        while offset < end:
            shift = (end - offset).bit_length() - 1
            if offset:
                shift = min(shift, (offset & -offset).bit_length() - 1)
            self._give_block(offset, shift)
            offset += 1 << shift

    def _give_block(self, offset: int, shift: int) -> None:
        free = self.free
        while shift + 1 < len(free):
            try:
                free[shift].remove(offset ^ (1 << shift))
            except KeyError:
                break
            offset &= ~(1 << shift)
            shift += 1
        free[shift].add(offset)

    def take(self, size: int) -> int:
        """The offset of size bytes, or -1."""
        for shift in range((size - 1).bit_length(), len(self.free)):
            try:
                offset = self.free[shift].pop()
            except KeyError:
                continue
            if size != 1 << shift:
                self.give(offset + size, (1 << shift) - size)
            return offset
        return -1


class Rack:
    """Free blocks of one size."""

    __slots__ = ("offsets", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.offsets: list[int] = []


class RamBuffer:
    """api.Buffer."""

    __slots__ = ("_memory", "_offset", "_rack", "addr", "cost_bytes", "view")

    def __init__(self, memory: BuddyMemory, rack: Rack, offset: int, size_bytes: int) -> None:
        self._memory = memory
        self._rack = rack
        self._offset = offset
        self.cost_bytes = rack.size
        self.addr = memory.ram_base + offset
        self.view = memory.ram[offset : offset + size_bytes]

    def __del__(self) -> None:
        rack = self._rack
        memory = self._memory
        memory.free_bytes += rack.size
        offsets = rack.offsets
        if len(offsets) < RACK:
            offsets.append(self._offset)
        else:
            memory.buddy.give(self._offset, rack.size)
        if memory.waiting:
            memory.freed()


class BuddyMemory:
    """api.Memory over ram[start:end]."""

    def __init__(self, ram: memoryview, ram_base: int, start: int, end: int) -> None:
        start = -(-start >> GRAIN_SHIFT) << GRAIN_SHIFT
        end = end >> GRAIN_SHIFT << GRAIN_SHIFT
        self.ram = ram
        self.ram_base = ram_base
        self.size_bytes = end - start
        self.free_bytes = end - start
        self.buddy = Buddy(start, end)
        self.waiting: list[Callable[[], None]] = []
        self._racks: dict[int, Rack] = {}
        self._rack_for: dict[int, Rack] = {}

    def alloc(self, size_bytes: int) -> RamBuffer | None:
        rack = self._rack_for.get(size_bytes) or self._rack(size_bytes)
        if rack.offsets:
            offset = rack.offsets.pop()
        else:
            if rack.size > self.free_bytes:
                return None
            offset = self.buddy.take(rack.size)
            if offset < 0:
                self._join_all()
                offset = self.buddy.take(rack.size)
                if offset < 0:
                    return None
        self.free_bytes -= rack.size
        return RamBuffer(self, rack, offset, size_bytes)

    def when_freed(self, handler: Callable[[], None]) -> None:
        self.waiting.append(handler)

    def freed(self) -> None:
        """Handlers only schedule: this runs wherever the last reference is dropped."""
        waiting, self.waiting = self.waiting, []
        for handler in waiting:
            handler()

    def _rack(self, size_bytes: int) -> Rack:
        if size_bytes < 1:
            raise ValueError("alloc: at least 1 byte")
        size = rounded(size_bytes)
        rack = self._racks.get(size)
        if rack is None:
            rack = self._racks[size] = Rack(size)
        if len(self._rack_for) >= 4096:  # a memo of sizes seen, not a map of all sizes there are
            self._rack_for.clear()
        self._rack_for[size_bytes] = rack
        return rack

    def _join_all(self) -> None:
        """Empty the racks into the buddy.  Costs nothing when nothing was freed since."""
        for rack in self._racks.values():
            while rack.offsets:
                self.buddy.give(rack.offsets.pop(), rack.size)
