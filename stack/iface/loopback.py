"""The loopback interface: what goes out comes in again, in the next softint."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from hypercalls.api import Buffer, Frame, Hypercalls, Slice
from stack.wire import WireError

MTU_BYTES = 65535
QUEUE = 1024


class LoopbackFrame:
    """A packet in a buffer of its own."""

    __slots__ = ("buffer", "csum_ok", "gso_size", "offset", "view")

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self.offset = 0
        self.view = buffer.view
        self.csum_ok = True  # it never was on a wire
        self.gso_size = 0

    def keep(self) -> Slice | None:
        return self.buffer, 0, len(self.view)


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
        self.counters = {"rx": 0, "tx": 0, "rx_bad": 0, "dropped": 0}
        self._memory = hyper.memory
        self._clock = hyper.clock
        self._crashed = hyper.threads.crashed
        self._ip_input = ip_input
        self._batch_end = batch_end
        self._queue: deque[LoopbackFrame] = deque()
        self._softint = hyper.threads.softint(self._receive)

    def output(
        self, _next_hop: int, packet: bytes, payload: Sequence[Slice],
        _csum_start: int, _csum_offset: int, _gso_size: int,
    ) -> None:  # fmt: skip
        length = len(packet) + sum(item[2] for item in payload)
        buffer = self._memory.alloc(length) if len(self._queue) < QUEUE else None
        if buffer is None:
            self.counters["dropped"] += 1
            return
        view = buffer.view
        view[: len(packet)] = packet
        at = len(packet)
        for source, offset, count in payload:
            view[at : at + count] = source.view[offset : offset + count]
            at += count
        self._queue.append(LoopbackFrame(buffer))
        self.counters["tx"] += 1
        self._softint.schedule()

    def _receive(self) -> None:
        now = self._clock.monotonic_ns()
        for _ in range(len(self._queue)):
            self.counters["rx"] += 1
            try:
                self._ip_input(self, self._queue.popleft(), 0, now)
            except WireError:
                self.counters["rx_bad"] += 1
            except Exception as error:
                self._crashed("loopback", error)
        self._batch_end(now)
