"""Deadlines in order: a heap whose cancelled entries are dropped when they surface."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush


class Timer:
    __slots__ = ("_timers", "deadline_ns", "func")

    def __init__(self, timers: Timers, deadline_ns: int, func: Callable[[], None]) -> None:
        self._timers = timers
        self.deadline_ns = deadline_ns
        self.func: Callable[[], None] | None = func

    def cancel(self) -> None:
        """Never call func.  Harmless after it was called."""
        if self.func is not None:
            self.func = None
            self._timers.cancelled()


class Timers:
    """Timers of equal deadline go off in the order in which they were made."""

    __slots__ = ("_cancelled", "_count", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, Timer]] = []
        """Empty or not is all that its users may ask of it."""
        self._count = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self.heap)

    def call_at(self, deadline_ns: int, func: Callable[[], None]) -> Timer:
        timer = Timer(self, deadline_ns, func)
        self._count += 1
        heappush(self.heap, (deadline_ns, self._count, timer))
        return timer

    def cancelled(self) -> None:
        """Keep the heap within twice its live entries: callouts are mostly cancelled, not fired."""
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self.heap):
            self.heap = [entry for entry in self.heap if entry[2].func is not None]
            heapify(self.heap)
            self._cancelled = 0

    def next_ns(self) -> int | None:
        """The earliest deadline."""
        heap = self.heap
        while heap:
            if heap[0][2].func is not None:
                return heap[0][0]
            heappop(heap)
            self._cancelled -= 1
        return None

    def pop_due(self, now_ns: int) -> Callable[[], None] | None:
        """Take one function whose deadline has come."""
        due = self.next_ns()
        if due is None or due > now_ns:
            return None
        timer = heappop(self.heap)[2]
        func = timer.func
        timer.func = None
        return func
