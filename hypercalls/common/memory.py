"""Memory on the host: bytearrays, within a limit.

Collecting them is Python's work; the limit is what makes running out of memory the same
back-pressure here as on the minion.
"""

from __future__ import annotations

from collections.abc import Callable


class HeapBuffer:
    """api.Buffer."""

    __slots__ = ("_memory", "addr", "cost_bytes", "view")

    def __init__(self, memory: HeapMemory, size_bytes: int) -> None:
        self._memory = memory
        self.addr = 0
        self.cost_bytes = size_bytes
        self.view = memoryview(bytearray(size_bytes))

    def __del__(self) -> None:
        memory = self._memory
        memory.free_bytes += self.cost_bytes
        if memory.waiting:
            memory.freed()


class HeapMemory:
    """api.Memory."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.free_bytes = size_bytes
        self.waiting: list[Callable[[], None]] = []

    def alloc(self, size_bytes: int) -> HeapBuffer | None:
        if size_bytes < 1:
            raise ValueError("alloc: at least 1 byte")
        if size_bytes > self.free_bytes:
            return None
        self.free_bytes -= size_bytes
        return HeapBuffer(self, size_bytes)

    def when_freed(self, handler: Callable[[], None]) -> None:
        self.waiting.append(handler)

    def freed(self) -> None:
        waiting, self.waiting = self.waiting, []
        for handler in waiting:
            handler()
