"""The address space of an app: areas, and Sv39 page tables in RAM that are filled on demand.

Theory of operation.  An area says what may be at a range of addresses; a page gets its frame when
it is first touched, by the hart (a page fault, `fault`) or by a system call (`read`, `write`).  The
tables are what the hart walks (privileged spec, chapter "Sv39"); `_pages` mirrors them for us.
When rights are taken away the hart has to forget its translations: `changed` is called for that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EEXIST, EFAULT, EINVAL, ENOMEM
from struct import pack_into
from typing import Final

from minion.app.frames import PAGE, Frames

READ: Final = 1
WRITE: Final = 2
EXEC: Final = 4
"""PROT_READ, PROT_WRITE, PROT_EXEC of Linux."""

PTE_V: Final = 1
PTE_U: Final = 1 << 4
PTE_AD: Final = 3 << 6
SATP_SV39: Final = 8 << 60
TOP: Final = 1 << 38
"""The end of user addresses: half of Sv39's."""
MMAP_TOP: Final = TOP - (1 << 30)
"""Mappings without an address grow down from here; the stack lies above."""
LOWEST: Final = 0x1000
"""Nothing is mapped at address 0: a null pointer faults."""
AREAS_MAX: Final = 65530
"""Linux's vm.max_map_count."""


@dataclass(slots=True)
class Area:
    start: int
    end: int
    prot: int
    name: str = ""


def rounded(length: int) -> int:
    return -(-length // PAGE) * PAGE


def legal(prot: int) -> int:
    """W without R is reserved (Sv39)."""
    return prot | READ if prot & WRITE else prot


def start_of(area: Area) -> int:
    return area.start


class AddressSpace:
    def __init__(
        self,
        frames: Frames,
        changed: Callable[[], None] = lambda: None,
        largest: Callable[[], bool] = lambda: False,
    ) -> None:
        """largest: whether no other app has more memory; it gets nothing of the last frames.

        OSError(ENOMEM) without a frame for the root table.
        """
        self._frames = frames
        self._changed = changed
        self._largest = largest
        self._areas: list[Area] = []
        self._pages: dict[int, int] = {}
        """Virtual page number -> frame."""
        self._tables: dict[int, int] = {}
        """Prefix of virtual page numbers (with its level) -> frame of the table."""
        self.root = self._take()

    @property
    def satp(self) -> int:
        return SATP_SV39 | self.root >> 12

    @property
    def resident_bytes(self) -> int:
        return (len(self._pages) + len(self._tables) + 1) * PAGE

    def _take(self) -> int:
        frames = self._frames
        frame = None if frames.scarce and self._largest() else frames.take()
        if frame is None:
            raise OSError(ENOMEM, "no memory left for apps")
        return frame

    # -- areas

    def areas(self) -> list[Area]:
        return list(self._areas)

    def find(self, addr: int) -> Area | None:
        index = self._before(addr)
        if index >= 0 and addr < self._areas[index].end:
            return self._areas[index]
        return None

    def _before(self, addr: int) -> int:
        """The number of the last area that starts at or below addr; -1 if there is none."""
        return bisect_right(self._areas, addr, key=start_of) - 1

    def free(self, start: int, end: int) -> bool:
        """Whether nothing is mapped there."""
        index = self._before(end - 1)
        return index < 0 or self._areas[index].end <= start

    def map(self, start: int, length: int, prot: int, name: str = "", replace: bool = True) -> None:
        """EINVAL (not page-aligned), EEXIST, ENOMEM (outside of user addresses; too many areas)."""
        end = start + rounded(length)
        if start % PAGE or length <= 0:
            raise OSError(EINVAL, "not a range of pages")
        if start < LOWEST or end > TOP:
            raise OSError(ENOMEM, "outside of the user addresses")
        if not replace and not self.free(start, end):
            raise OSError(EEXIST, "mapped already")
        self.unmap(start, length)
        if len(self._areas) >= AREAS_MAX:
            raise OSError(ENOMEM, "too many areas")
        index = self._before(start) + 1
        self._areas.insert(index, Area(start, end, legal(prot), name))
        self._join(index, index)

    def unmap(self, start: int, length: int) -> None:
        """EINVAL, ENOMEM (too many areas)."""
        end = start + rounded(length)
        if start % PAGE or length <= 0:
            raise OSError(EINVAL, "not a range of pages")
        first, last = self._cut(start, end)
        if first < last:
            del self._areas[first:last]
            self._drop(start, end)

    def protect(self, start: int, length: int, prot: int) -> None:
        """EINVAL, ENOMEM (not mapped; too many areas)."""
        end = start + rounded(length)
        if start % PAGE:
            raise OSError(EINVAL, "not page-aligned")
        first, last = self._cut(start, end)
        inside = self._areas[first:last]
        if sum(area.end - area.start for area in inside) != end - start:
            self._join(first, last)
            raise OSError(ENOMEM, "not all of it is mapped")
        for area in inside:
            area.prot = legal(prot)
        self._join(first, last)
        for page in self._resident(start, end):
            self._enter(page, self._pages[page], legal(prot))
        self._changed()

    def forget(self, start: int, length: int) -> None:
        """The contents are not needed any more: zeros from now on (MADV_DONTNEED)."""
        self._drop(start, start + rounded(length))

    def move(self, start: int, length: int, to: int, new: int) -> None:
        """An area, or part of it, with its contents (mremap).  to: free.  ENOMEM: nothing moved."""
        self._cut(start, start + length)
        area = self.find(start)
        assert area is not None
        self.map(to, new, area.prot, area.name, replace=False)
        distance = (to - start) // PAGE
        try:
            for page in self._resident(start, start + length):
                self._enter(page + distance, self._pages[page], area.prot)
                self._pages[page + distance] = self._pages.pop(page)
                self._entry(page, 0)
        except OSError:
            for page in self._resident(to, to + length):
                self._enter(page - distance, self._pages[page], area.prot)
                self._pages[page - distance] = self._pages.pop(page)
                self._entry(page, 0)
            self.unmap(to, new)
            raise
        self.unmap(start, length)

    def hole(self, length: int) -> int:
        """The highest free range below MMAP_TOP.  ENOMEM."""
        end = MMAP_TOP
        for index in range(self._before(MMAP_TOP - 1), -1, -1):
            area = self._areas[index]
            if end - area.end >= length:
                break
            end = area.start
        start = (end - length) // PAGE * PAGE
        if start < LOWEST:
            raise OSError(ENOMEM, "no range of addresses is that large")
        return start

    def _cut(self, start: int, end: int) -> tuple[int, int]:
        """Split areas at both bounds: the numbers [first, last) of those between.  ENOMEM."""
        areas = self._areas
        for bound in (start, end):
            index = self._before(bound)
            if index < 0 or not areas[index].start < bound < areas[index].end:
                continue
            if len(areas) >= AREAS_MAX:
                raise OSError(ENOMEM, "too many areas")
            area = areas[index]
            areas.insert(index + 1, Area(bound, area.end, area.prot, area.name))
            area.end = bound
        return self._before(start - 1) + 1, self._before(end - 1) + 1

    def _join(self, first: int, last: int) -> None:
        """Make one of neighbours that are alike, from before `first` to after `last`."""
        areas = self._areas
        for index in range(min(last + 1, len(areas) - 1), max(first, 1) - 1, -1):
            left, right = areas[index - 1], areas[index]
            if (left.end, left.prot, left.name) == (right.start, right.prot, right.name):
                left.end = right.end
                del areas[index]

    # -- pages

    def _resident(self, start: int, end: int) -> list[int]:
        first, last = start >> 12, end >> 12
        if last - first <= len(self._pages):
            return [page for page in range(first, last) if page in self._pages]
        return [page for page in self._pages if first <= page < last]

    def _drop(self, start: int, end: int) -> None:
        for page in self._resident(start, end):
            self._frames.give(self._pages.pop(page))
            self._entry(page, 0)
        self._changed()

    def _entry(self, page: int, value: int) -> None:
        """Write the leaf entry of a page, making the tables above it.  ENOMEM."""
        table = self.root
        for level in (2, 1):
            prefix = page >> 9 * level << 2 | level
            below = self._tables.get(prefix)
            if below is None:
                below = self._tables[prefix] = self._take()
                index = page >> 9 * level & 511
                pack_into("<Q", self._frames.view(table), index * 8, below >> 12 << 10 | PTE_V)
            table = below
        pack_into("<Q", self._frames.view(table), (page & 511) * 8, value)

    def _enter(self, page: int, frame: int, prot: int) -> None:
        entry = frame >> 12 << 10 | PTE_AD | PTE_U | prot << 1 | PTE_V if prot else 0
        self._entry(page, entry)

    def populate(self, area: Area) -> None:
        """Give every page of an area its frame now: a debugger reads without touching.  ENOMEM."""
        for addr in range(area.start, area.end, PAGE):
            self.fault(addr, area.prot)

    def fault(self, addr: int, access: int) -> bool:
        """The hart touched addr.  True: it may, and the page is there now.  ENOMEM."""
        area = self.find(addr)
        if area is None or not area.prot & access:
            return False
        page = addr >> 12
        if page in self._pages:
            return False  # it was there: the hart's complaint is another
        frame = self._take()
        try:
            self._enter(page, frame, area.prot)
        except OSError:
            self._frames.give(frame)
            raise
        self._pages[page] = frame
        return True

    def _chunks(self, addr: int, length: int, access: int) -> Iterator[memoryview]:
        """Memory page by page.  EFAULT."""
        while length > 0:
            page = addr >> 12
            area = self.find(addr)
            if area is None or not area.prot & access:
                raise OSError(EFAULT, "bad address")
            if page not in self._pages:
                self.fault(addr, access)
            offset = addr & PAGE - 1
            count = min(length, PAGE - offset)
            yield self._frames.view(self._pages[page])[offset : offset + count]
            addr += count
            length -= count

    def read(self, addr: int, length: int) -> bytes:
        """copyin.  EFAULT."""
        return b"".join(self._chunks(addr, length, READ))

    def write(self, addr: int, data: bytes | memoryview, force: bool = False) -> None:
        """copyout.  force: by a loader, where the app may only read or execute.  EFAULT."""
        data = memoryview(data)
        done = 0
        for chunk in self._chunks(addr, len(data), READ | EXEC | WRITE if force else WRITE):
            chunk[:] = data[done : done + len(chunk)]
            done += len(chunk)

    def writable(self, addr: int, length: int) -> int:
        """How much of it can be written, from its beginning on."""
        at, end = addr, addr + length
        while at < end:
            area = self.find(at)
            if area is None or not area.prot & WRITE:
                break
            at = min(area.end, end)
        return at - addr

    def string(self, addr: int, limit: int = PAGE) -> bytes:
        """Up to a NUL.  EFAULT, also without a NUL within limit bytes."""
        found = bytearray()
        while len(found) < limit:
            count = min(PAGE - (addr + len(found) & PAGE - 1), limit - len(found))
            piece = self.read(addr + len(found), count)
            head, end, _ = piece.partition(b"\0")
            found += head
            if end:
                return bytes(found)
        raise OSError(EFAULT, "string too long")

    def word(self, addr: int, size: int = 8) -> int:
        return int.from_bytes(self.read(addr, size), "little")

    def put(self, addr: int, value: int, size: int = 8) -> None:
        self.write(addr, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def close(self) -> None:
        """Give everything back."""
        for frame in [*self._pages.values(), *self._tables.values(), self.root]:
            self._frames.give(frame)
        self._pages.clear()
        self._tables.clear()
        self._areas.clear()
