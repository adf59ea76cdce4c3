"""How long runs may be, how much may be under way, and how long an answer may take.

Theory of operation.  A frame of n bits survives a bit error rate e with (1 - e)**n.  A loss takes a
quarter of its length from the longest run, an arrival adds a 64th: they balance where one frame in
17 is lost, which is near the best length for its 15 bytes of overhead at any rate.

The rate of the line is not known here, so what an answer took is divided by what was under way
before it.  Answers may have waited behind data of the other direction, so the shortest counts, and
is forgotten slowly.
"""

from __future__ import annotations

from typing import Final

from minion.line import frames

RUN_MIN: Final = 64
WINDOW_MIN: Final = 4096
UNKNOWN_NS_PER_BYTE: Final = 87_000.0
"""115,200 baud, until something was measured."""
SLOWEST_NS_PER_BYTE: Final = 10_000_000.0
WINDOW_NS: Final = 150_000_000
"""Under way at most: so that the line is busy while acknowledgements wait behind data of the other
direction, and a request does not wait for long."""
RISE: Final = 256
SAMPLE_NS: Final = 1_000_000
"""A fast line tells nothing new for so long."""
BACKOFF_MAX: Final = 2
"""Noise does not pass because one waits."""
RUN_FIRST: Final = 1024


class Pace:
    __slots__ = (
        "_ack_delay_ns",
        "_measured",
        "_ns_per_byte",
        "_window_max",
        "backoff",
        "run_bytes",
        "sample_at",
        "window_bytes",
    )

    def __init__(self, ack_delay_ns: int, window_bytes: int) -> None:
        self._ack_delay_ns = ack_delay_ns
        self._window_max = window_bytes
        self._ns_per_byte = UNKNOWN_NS_PER_BYTE
        self._measured = False
        self.window_bytes = WINDOW_MIN
        self.run_bytes = RUN_FIRST
        self.sample_at = 0
        """When the next sample may say something new."""
        self.backoff = 0
        """Time-outs in a row."""

    def lost(self, length: int) -> None:
        run = self.run_bytes
        self.run_bytes = max(RUN_MIN, run - (min(length, run) >> 2))

    def arrived(self, length: int) -> None:
        self.run_bytes = min(frames.PAYLOAD_MAX, self.run_bytes + (length >> 6))

    def sample(self, now: int, rtt_ns: int, ahead_bytes: int) -> None:
        """An answer came after rtt_ns, with ahead_bytes under way when it was asked for."""
        if rtt_ns > self._ack_delay_ns:  # it may have waited for that long
            rtt_ns = max(rtt_ns - self._ack_delay_ns, rtt_ns >> 1)
        sample = min(rtt_ns / ahead_bytes, SLOWEST_NS_PER_BYTE)
        known = self._ns_per_byte
        if sample < known or not self._measured:
            known = sample
        else:
            known += (sample - known) / RISE
        self._measured = True
        self.sample_at = now + SAMPLE_NS
        self._ns_per_byte = known
        self.window_bytes = max(WINDOW_MIN, min(self._window_max, int(WINDOW_NS / (known + 1))))

    def timeout_ns(self, flight_bytes: int, peer_idle_ns: int) -> int:
        """When the oldest of flight_bytes is sent again; longer for each time-out in a row.

        peer_idle_ns: since when no long run has come; an answer may wait behind some.
        """
        needed = int(3 * self._ns_per_byte * (flight_bytes + frames.OVERHEAD_BYTES))
        behind = int(2 * self._ns_per_byte * self.window_bytes)
        if peer_idle_ns < behind:
            needed += behind
        return 2 * self._ack_delay_ns + needed << min(self.backoff, BACKOFF_MAX)
