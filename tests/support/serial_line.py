"""A serial line in virtual time: two links, a wire in each direction, and what they cost."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from minion.line.link import Link
from minion.line.wire import Wire

DELAY_NS = 100_000
"""Before bytes that have crossed are looked at: an interrupt, a turn of the loop."""


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def fire(self) -> None:
        if not self._cancelled:
            self._call()


class VirtualTime:
    def __init__(self) -> None:
        self.now_ns = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    def now(self) -> int:
        return self.now_ns

    def call_at(self, when_ns: int, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        heapq.heappush(self._events, (when_ns, next(self._numbers), timer.fire))
        return timer

    def idle_ns(self) -> int:
        """Until something happens, a second at most."""
        return max(self._events[0][0] - self.now_ns, 1) if self._events else 1_000_000_000

    def run(self, duration_ns: int) -> None:
        limit = self.now_ns + duration_ns
        while self._events and self._events[0][0] <= limit:
            when, _, call = heapq.heappop(self._events)
            self.now_ns = max(self.now_ns, when)
            call()
        self.now_ns = limit


class SerialLine:
    """`driver` and `minion` are its two ends; set their deliver functions before `start`."""

    def __init__(self, time: VirtualTime, baud: int, noise: float, seed: int) -> None:
        self.deliver: list[Callable[[bytes], None]] = [lambda _message: None] * 2
        self._time = time
        self._wires = [self._wire(0, baud, noise, seed), self._wire(1, baud, noise, seed + 1)]
        self._links = [self._link(0), self._link(1)]
        self.driver, self.minion = self._links

    def _wire(self, end: int, baud: int, noise: float, seed: int) -> Wire:
        def arrive(data: bytes) -> None:
            time.call_at(time.now_ns + DELAY_NS, lambda: self._links[1 - end].input(data))

        time = self._time
        return Wire(arrive, baud, noise, seed, time.now, time.call_at)

    def _link(self, end: int) -> Link:
        return Link(
            end + 1,
            lambda data: self._wires[end].transmit(data),
            lambda message: self.deliver[end](message),
            lambda: None,
            self._time.now,
            self._time.call_at,
        )

    def start(self) -> None:
        for link in self._links:
            link.start()

    def settle(self) -> None:
        """A quiet line from now on."""
        for wire in self._wires:
            wire.bit_error_rate = 0.0
