"""The loopback interface: what goes out comes in again, in the next softint.

Theory of operation.  A packet is copied into a buffer of its own.  When memory has none that is
long enough, one of a few that the interface never gives away is used, as of a NIC's receive ring:
whatever others hold, a packet can pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from hypercalls.api import Buffer, Frame, Hypercalls, Slice
from stack.wire import WireError

MTU_BYTES = 65535
QUEUE = 1024


RING_SHARE = 8 << 20
"""One buffer of the interface's own for so much memory,"""
RING_MAX = 8
"""and not more of them."""


class LoopbackFrame:
    """A packet in a buffer of its own, or in one of the ring's."""

    __slots__ = ("buffer", "csum_ok", "gso_size", "offset", "ring", "view")

    def __init__(self, buffer: Buffer, ring_bytes: int = 0) -> None:
        """ring_bytes: of a packet in a buffer of the ring."""
        self.buffer = buffer
        self.ring = ring_bytes > 0
        self.offset = 0
        self.view = buffer.view[:ring_bytes] if ring_bytes else buffer.view
        self.csum_ok = True  # it never was on a wire
        self.gso_size = 0

    def keep(self) -> Slice | None:
        return None if self.ring else (self.buffer, 0, len(self.view))


class LoopbackInterface:
    def __init__(
        self,
        hyper: Hypercalls,
        ip_input: Callable[[LoopbackInterface, Frame, int, int], None],
        batch_end: Callable[[int], None],
    ) -> None:
        self.name = "lo"
        self.address = 0x7F000001
        self.netmask = 0xFF000000
        self.mtu_bytes = MTU_BYTES
        self.gso_max_bytes = 0
        self.csum_offload = True
        self.full = False
        self.counters = {"rx": 0, "tx": 0, "rx_bad": 0, "dropped": 0}
        self._memory = hyper.memory
        self._clock = hyper.clock
        self._crashed = hyper.threads.crashed
        self._ip_input = ip_input
        self._batch_end = batch_end
        self._queue: deque[LoopbackFrame] = deque()
        self._ring: list[Buffer] = []
        for _ in range(max(1, min(RING_MAX, hyper.memory.size_bytes // RING_SHARE))):
            buffer = hyper.memory.alloc(MTU_BYTES)
            if buffer is not None:
                self._ring.append(buffer)
        self._softint = hyper.threads.softint(self._receive)

    def output(
        self, _next_hop: int, packet: bytes, payload: Sequence[Slice],
        _csum_start: int, _csum_offset: int, _gso_size: int,
    ) -> None:  # fmt: skip
        length = len(packet) + sum(item[2] for item in payload)
        if len(self._queue) >= QUEUE:
            self.counters["dropped"] += 1
            return
        buffer = self._memory.alloc(length)
        ring = buffer is None
        if buffer is None:
            if not self._ring or length > MTU_BYTES:
                self.counters["dropped"] += 1
                return
            buffer = self._ring.pop()
        view = buffer.view
        view[: len(packet)] = packet
        at = len(packet)
        for source, offset, count in payload:
            view[at : at + count] = source.view[offset : offset + count]
            at += count
        self._queue.append(LoopbackFrame(buffer, length if ring else 0))
        self.counters["tx"] += 1
        self._softint.schedule()

    def _receive(self) -> None:
        now = self._clock.monotonic_ns()
        for _ in range(len(self._queue)):
            self.counters["rx"] += 1
            frame = self._queue.popleft()
            try:
                self._ip_input(self, frame, 0, now)
            except WireError:
                self.counters["rx_bad"] += 1
            except Exception as error:
                self._crashed("loopback", error)
            if frame.ring:
                self._ring.append(frame.buffer)
        self._batch_end(now)
