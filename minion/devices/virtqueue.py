"""A split virtqueue (VIRTIO 1.2, 2.7) from the device's side.

The driver's half of the ring is hostile input.  Whatever it says is checked before it is used: ring
addresses once, when the queue is made ready; head numbers, descriptor addresses, lengths and flags
each time.  A violation raises RingError; the transport then sets DEVICE_NEEDS_RESET.
Indirect descriptors and event indices are not offered.
"""

from __future__ import annotations

from typing import Final

from minion.ram import Ram

NEXT: Final = 1
WRITE: Final = 2
NO_INTERRUPT: Final = 1
NO_NOTIFY: Final = 1


class RingError(Exception):
    """The driver broke the rules of the ring."""


class Virtqueue:
    __slots__ = (
        "_avail",
        "_base",
        "_desc",
        "_mask",
        "_ram",
        "_ram_size",
        "_seen",
        "_u16",
        "_u32",
        "_u64",
        "_used",
        "_used_index",
        "desc_addr",
        "device_addr",
        "driver_addr",
        "ready",
        "size",
        "size_max",
    )

    def __init__(self, ram: Ram, size_max: int) -> None:
        self._ram = ram.view
        self._u16 = ram.u16
        self._u32 = ram.u32
        self._u64 = ram.u64
        self._base = ram.base
        self._ram_size = ram.size
        self.size_max = size_max
        self.reset()

    def reset(self) -> None:
        self.ready = False
        self.size = self.size_max
        self.desc_addr = 0
        self.driver_addr = 0
        self.device_addr = 0
        self._seen = 0
        self._used_index = 0
        self._desc = self._avail = self._used = 0
        self._mask = 0

    def start(self) -> None:
        """The driver made the queue ready: look at where it is, once."""
        size = self.size
        if not 0 < size <= self.size_max or size & size - 1:
            raise RingError("queue size")
        self._desc = self._place(self.desc_addr, 16 * size, 16) >> 3
        self._avail = self._place(self.driver_addr, 4 + 2 * size, 2) >> 1
        self._used = self._place(self.device_addr, 4 + 8 * size, 4) >> 2
        self._mask = size - 1
        self._seen = 0
        self._used_index = 0
        self.ready = True

    def _place(self, addr: int, length: int, align: int) -> int:
        offset = addr - self._base
        if offset < 0 or offset + length > self._ram_size or addr % align:
            raise RingError("queue address")
        return offset

    def take(self) -> int:
        """The next available head, or -1."""
        seen = self._seen
        ahead = self._u16[self._avail + 1] - seen & 0xFFFF
        if not ahead:
            return -1
        if ahead > self._mask + 1:
            raise RingError("available index")
        head = self._u16[self._avail + 2 + (seen & self._mask)]
        if head > self._mask:
            raise RingError("head")
        self._seen = seen + 1 & 0xFFFF
        return head

    @property
    def empty(self) -> bool:
        return self._u16[self._avail + 1] == self._seen

    def readable(self, head: int) -> list[memoryview]:
        """The bytes of a chain in which the device may only read."""
        return self._walk(head, 0)[0]

    def writable(self, head: int) -> list[memoryview]:
        """The bytes of a chain in which the device may only write."""
        index = self._desc + (head << 1)
        rest = self._u64[index + 1]
        if rest >> 32 == WRITE:  # a chain of one, as nearly always
            offset = self._u64[index] - self._base
            end = offset + (rest & 0xFFFF_FFFF)
            if offset < 0 or end > self._ram_size:
                raise RingError("descriptor address")
            return [self._ram[offset:end]]
        views, first = self._walk(head, WRITE)
        if first:
            raise RingError("readable descriptor in a receive queue")
        return views

    def split(self, head: int) -> tuple[list[memoryview], list[memoryview]]:
        """A chain of readable descriptors followed by writable ones (2.7.4.2)."""
        views, first = self._walk(head, None)
        return views[:first], views[first:]

    def _walk(self, head: int, wanted: int | None) -> tuple[list[memoryview], int]:
        """The chain's views and how many are readable; wanted: the only WRITE flag allowed."""
        u64 = self._u64
        ram = self._ram
        base = self._base
        limit = self._ram_size
        mask = self._mask
        index = self._desc + (head << 1)
        views: list[memoryview] = []
        readable = 0
        for _ in range(mask + 1):
            rest = u64[index + 1]
            offset = u64[index] - base
            length = rest & 0xFFFF_FFFF
            flags = rest >> 32
            if offset < 0 or offset + length > limit:
                raise RingError("descriptor address")
            if flags & 4:
                raise RingError("indirect descriptor")
            if flags & WRITE:
                if wanted == 0:
                    raise RingError("writable descriptor in a transmit queue")
            elif readable < len(views):
                raise RingError("readable descriptor after a writable one")
            else:
                readable += 1
            views.append(ram[offset : offset + length])
            if not flags & NEXT:
                return views, readable
            following = flags >> 16
            if following > mask:
                raise RingError("next descriptor")
            index = self._desc + (following << 1)
        raise RingError("loop")

    def give(self, head: int, length: int) -> None:
        """Return a chain in which length bytes were written.  Seen by the driver at once."""
        used_index = self._used_index
        slot = self._used + 1 + ((used_index & self._mask) << 1)
        self._u32[slot] = head
        self._u32[slot + 1] = length
        self._used_index = used_index = used_index + 1 & 0xFFFF
        self._u16[(self._used << 1) + 1] = used_index

    def wants_interrupt(self) -> bool:
        return not self._u16[self._avail] & NO_INTERRUPT

    def want_notify(self, wanted: bool) -> None:
        """Tell the driver whether its doorbell is needed."""
        self._u16[self._used << 1] = 0 if wanted else NO_NOTIFY
