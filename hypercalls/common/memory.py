"""Memory on the host: bytearrays, within a limit.

Collecting them is Python's work; the limit is what makes running out of memory the same
back-pressure here as on the minion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

SPARE_FROM_BYTES: Final = 16 << 10
SPARE_BYTES: Final = 4 << 20
"""Large ones are used again: fresh from malloc, each page of them is a fault, and cleared."""


class HeapBuffer:
    """api.Buffer."""

    __slots__ = ("_memory", "addr", "cost_bytes", "view")

    def __init__(self, memory: HeapMemory, size_bytes: int) -> None:
        self._memory = memory
        self.addr = 0
        self.cost_bytes = size_bytes
        spare = memory.spare.get(size_bytes)
        if spare:
            memory.spare_bytes -= size_bytes
            self.view = spare.pop()
        else:
            self.view = memoryview(bytearray(size_bytes))

    def __del__(self) -> None:
        memory, size = self._memory, self.cost_bytes
        memory.free_bytes += size
        if size >= SPARE_FROM_BYTES:
            memory.keep(self.view, size)
        if memory.waiting:
            memory.freed()


class HeapMemory:
    """api.Memory."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.free_bytes = size_bytes
        self.spare: dict[int, list[memoryview]] = {}
        """By size; what is in them is free, too."""
        self.spare_bytes = 0
        self.waiting: list[Callable[[], None]] = []

    def alloc(self, size_bytes: int) -> HeapBuffer | None:
        if size_bytes < 1:
            raise ValueError("alloc: at least 1 byte")
        if size_bytes > self.free_bytes:
            return None
        self.free_bytes -= size_bytes
        return HeapBuffer(self, size_bytes)

    def keep(self, view: memoryview, size_bytes: int) -> None:
        self.spare_bytes += size_bytes
        if self.spare_bytes > SPARE_BYTES:  # perhaps of sizes that nobody wants any more
            self.spare.clear()
            self.spare_bytes = size_bytes
        self.spare.setdefault(size_bytes, []).append(view)

    def when_freed(self, handler: Callable[[], None]) -> None:
        self.waiting.append(handler)

    def freed(self) -> None:
        waiting, self.waiting = self.waiting, []
        for handler in waiting:
            handler()
