"""Memory on the host: bytearrays, within a limit.

Collecting them is Python's work; the limit is what makes running out of memory the same
back-pressure here as on the minion.
"""

from __future__ import annotations


class HeapBuffer:
    """api.Buffer."""

    __slots__ = ("_memory", "addr", "view")

    def __init__(self, memory: HeapMemory, size_bytes: int) -> None:
        self._memory = memory
        self.addr = 0
        self.view = memoryview(bytearray(size_bytes))

    def __del__(self) -> None:
        self._memory.free_bytes += len(self.view)


class HeapMemory:
    """api.Memory."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.free_bytes = size_bytes

    def alloc(self, size_bytes: int) -> HeapBuffer | None:
        if size_bytes < 1:
            raise ValueError("alloc: at least 1 byte")
        if size_bytes > self.free_bytes:
            return None
        self.free_bytes -= size_bytes
        return HeapBuffer(self, size_bytes)
