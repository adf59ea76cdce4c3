"""The copper: how fast bytes cross, and what noise does to them.

A `Wire` is one direction.  At baud 0 and without noise it is not there: the transmitter calls the
receiver.  Otherwise bytes take 10 bit times each (start, 8, stop), in order, and every bit is
flipped with a given probability, from a seeded source: the same seed damages the same bits.
"""

from __future__ import annotations

import random
from collections.abc import Callable

BITS_PER_BYTE = 10
BURST_NS = 2_000_000
"""Bytes are delivered in bursts of about this length; a timer per byte would model no more."""


class Wire:
    def __init__(
        self,
        receive: Callable[[bytes], None],
        baud: int,
        bit_error_rate: float,
        seed: int,
        now: Callable[[], int],
        call_at: Callable[[int, Callable[[], None]], object],
    ) -> None:
        if baud < 0 or not 0 <= bit_error_rate < 1:
            raise ValueError("line: baud must be 0 or more, the bit error rate from 0 to below 1")
        self._receive = receive
        self._baud = baud
        self.bit_error_rate = bit_error_rate
        self._random = random.Random(seed)
        self._now = now
        self._call_at = call_at
        self._queue = bytearray()
        self._free_at_ns = 0
        self._scheduled = False
        self.counters = {"bytes": 0, "bits_flipped": 0}

    def transmit(self, data: bytes) -> None:
        self.counters["bytes"] += len(data)
        if self.bit_error_rate:
            data = self._damage(data)
        if not self._baud:
            self._receive(data)
            return
        self._queue += data
        if not self._scheduled:
            self._schedule(max(self._now(), self._free_at_ns))

    def _schedule(self, start: int) -> None:
        """Have the next burst arrive; the line is free for it from start on."""
        byte_ns = BITS_PER_BYTE * 1_000_000_000 / self._baud
        count = max(1, min(len(self._queue), int(BURST_NS / byte_ns)))
        self._free_at_ns = start + int(count * byte_ns)
        self._scheduled = True

        def arrive() -> None:
            self._scheduled = False
            burst = bytes(self._queue[:count])
            del self._queue[:count]
            if self._queue:
                self._schedule(self._free_at_ns)  # a late timer does not make the line slower
            self._receive(burst)

        self._call_at(self._free_at_ns, arrive)

    def _damage(self, data: bytes) -> bytes:
        """Flip bits; the gaps between errors are geometric, so that a quiet line costs nothing."""
        out = bytearray(data)
        bits = len(out) * 8
        at = self._gap()
        while at < bits:
            out[at >> 3] ^= 1 << (at & 7)
            self.counters["bits_flipped"] += 1
            at += 1 + self._gap()
        return bytes(out)

    def _gap(self) -> int:
        from math import log

        uniform = 1.0 - self._random.random()
        return int(log(uniform) / log(1.0 - self.bit_error_rate))
