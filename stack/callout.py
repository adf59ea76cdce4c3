"""Callouts: functions called at a time, after callout(9), over the one alarm of the hypercalls.

Theory of operation.  A heap of [when, number, function] lists; cancelling empties the function and
leaves the entry for the heap to drop.  The alarm interrupt schedules a softint, which runs what is
due.  The alarm is only moved when an earlier callout arrives, so that pushing a deadline back, as
each acknowledgement does, costs nothing: the owner looks at its own deadline when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from hypercalls.api import Hypercalls


class Callout:
    """One pending call."""

    __slots__ = ("function", "number", "when_ns")

    def __init__(self, when_ns: int, number: int, function: Callable[[], None]) -> None:
        self.when_ns = when_ns
        self.number = number
        self.function: Callable[[], None] | None = function

    def __lt__(self, other: Callout) -> bool:
        return (self.when_ns, self.number) < (other.when_ns, other.number)

    def cancel(self) -> None:
        self.function = None


class Callouts:
    def __init__(self, hyper: Hypercalls) -> None:
        self._clock = hyper.clock
        self._heap: list[Callout] = []
        self._number = 0
        self._alarm_ns: int | None = None
        self._softint = hyper.threads.softint(self._run)
        self._crashed = hyper.threads.crashed
        hyper.clock.on_alarm(self._softint.schedule)

    def at(self, when_ns: int, function: Callable[[], None]) -> Callout:
        """Call function at a monotonic time, in softint context."""
        self._number += 1
        callout = Callout(when_ns, self._number, function)
        heappush(self._heap, callout)
        if self._alarm_ns is None or when_ns < self._alarm_ns:
            self._alarm_ns = when_ns
            self._clock.set_alarm(when_ns)
        return callout

    def now(self) -> int:
        return self._clock.monotonic_ns()

    def _run(self) -> None:
        heap = self._heap
        now = self._clock.monotonic_ns()
        while heap and (heap[0].when_ns <= now or heap[0].function is None):
            function = heappop(heap).function
            if function is not None:
                try:
                    function()
                except (
                    Exception
                ) as error:  # one connection's fault must not stop the others' timers
                    self._crashed("callout", error)
        self._alarm_ns = heap[0].when_ns if heap else None
        self._clock.set_alarm(self._alarm_ns)

    def __len__(self) -> int:
        return sum(callout.function is not None for callout in self._heap)
