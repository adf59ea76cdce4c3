"""Callouts: functions called at a time, after callout(9), over the one alarm of the hypercalls.

Theory of operation.  A heap of callouts by time and number; cancelling empties a callout and
leaves it for the heap to drop.  The alarm interrupt schedules a softint, which runs what is due.
The alarm is only moved when an earlier callout arrives, so that pushing a deadline back, as each
acknowledgement does, costs nothing: the owner looks at its own deadline when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from hypercalls.api import Hypercalls


class Callout:
    """One pending call."""

    __slots__ = ("_callouts", "function", "when_ns")

    def __init__(self, callouts: Callouts, when_ns: int, function: Callable[[], None]) -> None:
        self._callouts = callouts
        self.when_ns = when_ns
        self.function: Callable[[], None] | None = function

    def cancel(self) -> None:
        if self.function is not None:
            self.function = None
            self._callouts.cancelled()


class Callouts:
    def __init__(self, hyper: Hypercalls) -> None:
        self._clock = hyper.clock
        self._heap: list[tuple[int, int, Callout]] = []
        self._number = 0
        self._dead = 0
        self._alarm_ns: int | None = None
        self._softint = hyper.threads.softint(self._run)
        self._crashed = hyper.threads.crashed
        hyper.clock.on_alarm(self._softint.schedule)

    def at(self, when_ns: int, function: Callable[[], None]) -> Callout:
        """Call function at a monotonic time, in softint context."""
        self._number += 1
        callout = Callout(self, when_ns, function)
        heappush(self._heap, (when_ns, self._number, callout))
        if self._alarm_ns is None or when_ns < self._alarm_ns:
            self._alarm_ns = when_ns
            self._clock.set_alarm(when_ns)
        return callout

    def cancelled(self) -> None:
        """Keep the heap within twice its live entries: most callouts never come due."""
        self._dead += 1
        if self._dead > 64 and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].function is not None]
            heapify(self._heap)
            self._dead = 0

    def now(self) -> int:
        return self._clock.monotonic_ns()

    def _run(self) -> None:
        now = self._clock.monotonic_ns()
        while (heap := self._heap) and (heap[0][0] <= now or heap[0][2].function is None):
            callout = heappop(heap)[2]
            function, callout.function = callout.function, None
            if function is None:
                self._dead = max(0, self._dead - 1)
            else:
                try:
                    function()
                except Exception as error:  # one's fault must not stop the others' timers
                    self._crashed("callout", error)
        self._alarm_ns = heap[0][0] if heap else None
        self._clock.set_alarm(self._alarm_ns)

    def __len__(self) -> int:
        return sum(entry[2].function is not None for entry in self._heap)
