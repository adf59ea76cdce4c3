"""The receiving half of a link: runs of the stream to messages, and what is missing.

Theory of operation.  `seq` numbers bytes, and the ends of messages.  What comes after a gap is kept
until the gap is filled.  Transmissions have numbers of their own, 16 bits; the line keeps order, so
a number that is passed over is a frame that was lost: `map` says which of the last came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MASK: Final = 0xFFFFFFFF
MAP_FRAMES: Final = 128
MAP_BYTES: Final = MAP_FRAMES // 8
MAP_FULL: Final = (1 << MAP_FRAMES) - 1
EARLY_MAX: Final = 4096
"""Runs kept beyond a gap."""


class Reassembly:
    __slots__ = (
        "_deliver", "_limit_bytes", "_partial", "early", "early_bytes", "expected", "gaps", "heard",
        "map", "tell", "unacked_bytes", "unacked_frames",
    )  # fmt: skip

    def __init__(self, deliver: Callable[[bytes], None], limit_bytes: int) -> None:
        """limit_bytes: how far ahead the other end sends at most."""
        self._deliver = deliver
        self._limit_bytes = limit_bytes
        self._partial: list[bytes] = []
        self.expected = 0
        """The next number of the stream."""
        self.early: dict[int, tuple[bytes, bool]] = {}
        self.early_bytes = 0
        self.heard = 0xFFFF
        """Number of the newest transmission that came."""
        self.map = MAP_FULL
        """Bit n: the transmission n before it came too."""
        self.gaps = 0
        self.tell = False
        """The other end should know at once of what is missing, or came twice."""
        self.unacked_bytes = self.unacked_frames = 0

    def input(self, number: int, seq: int, payload: bytes, last: bool) -> None:
        """A run; last: it ends a message."""
        behind = self.expected - seq & MASK
        if behind > MASK >> 1:
            if self._keep(seq, payload, last):
                self._note(number)
            return
        self._note(number)
        if behind >= len(payload) + last:
            self.tell = True  # a repetition: the acknowledgement was lost
            return
        self.unacked_frames += 1
        self._take(payload[behind:] if behind else payload, last)
        while self.early:
            item = self.early.pop(self.expected, None)
            if item is not None:
                self.early_bytes -= len(item[0])
                self._take(item[0], item[1])
            elif not self._trim():
                break

    def _note(self, number: int) -> None:
        """Count a transmission as come, and those that it passes over as lost."""
        step = number - self.heard & 0xFFFF
        if 0 < step <= 0x7FFF:
            self.heard = number
            self.map = (self.map << step | 1) & MAP_FULL
            if step > 1:
                self.tell = True
                self.gaps += 1
        else:  # the line has repeated it
            behind = -step & 0xFFFF
            if behind < MAP_FRAMES:
                self.map |= 1 << behind

    def _take(self, payload: bytes, last: bool) -> None:
        """The next bytes of the stream."""
        self.expected = self.expected + len(payload) + last & MASK
        self.unacked_bytes += len(payload) + last
        if not last:
            self._partial.append(payload)
            return
        if self._partial:
            self._partial.append(payload)
            payload = b"".join(self._partial)
            self._partial.clear()
        self._deliver(payload)

    def _keep(self, seq: int, payload: bytes, last: bool) -> bool:
        """Bytes that come after a gap.  False: dropped, as if they had not come."""
        ahead = seq - self.expected & MASK
        limit = self._limit_bytes
        if ahead > limit or self.early_bytes > limit or len(self.early) >= EARLY_MAX:
            return False
        known = self.early.get(seq)
        if known is None or len(known[0]) + known[1] < len(payload) + last:
            self.early_bytes += len(payload) - (len(known[0]) if known is not None else 0)
            self.early[seq] = payload, last
        return True

    def _trim(self) -> bool:
        """Runs that were cut otherwise when they were sent again may overlap what is here."""
        for seq, (payload, last) in self.early.items():
            behind = self.expected - seq & MASK
            if behind <= MASK >> 1:
                del self.early[seq]
                self.early_bytes -= len(payload)
                if behind < len(payload) + last:
                    self._take(payload[behind:], last)
                return True
        return False
