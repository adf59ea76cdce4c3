"""Page frames: the part of RAM that is reserved for apps, in pieces of 4 KiB."""

from __future__ import annotations

from typing import Final

from minion.ram import Ram

PAGE: Final = 4096


class Frames:
    """Physical pages.  Packet buffers lie elsewhere: an app that eats all this hurts no network."""

    def __init__(self, ram: Ram, size_bytes: int) -> None:
        """The first size_bytes of RAM, which must be zero."""
        self.ram = ram
        self.size_bytes = size_bytes
        self._fresh = ram.base
        self._end = ram.base + size_bytes
        self._used: list[int] = []

    @property
    def free_bytes(self) -> int:
        return self._end - self._fresh + len(self._used) * PAGE

    @property
    def scarce(self) -> bool:
        """The last sixteenth: for everybody but the app that has most."""
        return self.free_bytes <= self.size_bytes >> 4

    def take(self) -> int | None:
        """The physical address of a page of zeros; None if there are no more."""
        if self._used:
            addr = self._used.pop()
            self.view(addr)[:] = bytes(PAGE)
            return addr
        if self._fresh + PAGE > self._end:
            return None
        self._fresh += PAGE
        return self._fresh - PAGE

    def give(self, addr: int) -> None:
        self._used.append(addr)

    def view(self, addr: int) -> memoryview:
        offset = addr - self.ram.base
        return self.ram.view[offset : offset + PAGE]
