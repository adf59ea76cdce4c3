"""RAM of the minion: one anonymous mapping, so that pages nobody touched cost nothing."""

from __future__ import annotations

import mmap
import sys
from typing import Final

PAGE: Final = 4096


class Ram:
    """The bytes, and the same bytes as arrays of little-endian words for the devices' rings."""

    def __init__(self, size_bytes: int, base: int) -> None:
        if size_bytes < PAGE or size_bytes % PAGE:
            raise ValueError("ram: size must be a multiple of 4096")
        if sys.byteorder != "little":  # the word views below are the host's byte order
            raise NotImplementedError("ram: big-endian host")
        self.base = base
        self.size = size_bytes
        self.view = memoryview(mmap.mmap(-1, size_bytes))
        self.u16 = self.view.cast("H")
        self.u32 = self.view.cast("I")
        self.u64 = self.view.cast("Q")

    def span(self, addr: int, length: int) -> memoryview | None:
        """The bytes at a bus address; None if not all of them are RAM."""
        offset = addr - self.base
        if offset < 0 or length < 0 or offset + length > self.size:
            return None
        return self.view[offset : offset + length]
