"""Simulated network devices, and the links between them.

A link is two directions, each with a delay, a rate with a queue before it, and a loss probability;
all of them may be changed while frames are on their way.  Every frame leaves a line in the world's
trace, which is the same for the same seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from hypercalls.api import Buffer, Memory, Slice
from hypercalls.sim.offload import Packet, complete, segment

if TYPE_CHECKING:
    from hypercalls.sim.world import SimWorld

ETHERNET: Final = 14
BACKLOG: Final = 4096
"""Frames received and not yet read."""
REORDER_NS: Final = 5_000_000
Fault = Literal["drop", "duplicate", "reorder", "corrupt"]


class Traced(NamedTuple):
    time_ns: int
    way: str
    """`a>b`"""
    event: str
    """sent, received, or why not: drop, loss, queue, size, backlog, unplugged."""
    data: bytes


class SimFrame:
    """api.Frame."""

    __slots__ = ("_memory", "buffer", "csum_ok", "gso_size", "offset", "view")

    def __init__(self, memory: Memory, buffer: Buffer) -> None:
        self._memory = memory
        self.buffer = buffer
        self.view = buffer.view
        self.offset = 0
        self.csum_ok = False
        self.gso_size = 0

    def keep(self) -> Slice | None:
        length = len(self.view)
        buffer = self._memory.alloc(length)
        if buffer is None:
            return None
        buffer.view[:] = self.view
        return buffer, 0, length


class SimNet:
    """api.Net."""

    def __init__(
        self,
        memory: Memory,
        post: Callable[[Callable[[], None]], None],
        mac: bytes,
        mtu_bytes: int,
        gso_max_bytes: int,
        csum_offload: bool,
    ) -> None:
        buffer = memory.alloc(ETHERNET + max(mtu_bytes, gso_max_bytes))
        if buffer is None:
            raise MemoryError("net: no memory for a frame")
        self.mac = mac
        self.mtu_bytes = mtu_bytes
        self.gso_max_bytes = gso_max_bytes
        self.csum_offload = csum_offload
        self.output: Callable[[Packet], None] | None = None
        """Where the cable leads; None: not plugged in."""
        self._post = post
        self._frame = SimFrame(memory, buffer)
        self._received: deque[Packet] = deque()
        self._told = False
        self._on_receive: Callable[[], None] | None = None

    def send(
        self,
        header: bytes,
        payload: Sequence[Slice] = (),
        csum_start: int = 0,
        csum_offset: int = 0,
        gso_size: int = 0,
    ) -> None:
        assert self.csum_offload or not csum_start, "net: no checksum offload here"
        data = b"".join([header, *(b.view[o : o + n] for b, o, n in payload)])
        limit = self.gso_max_bytes if gso_size else self.mtu_bytes
        assert len(data) <= limit + ETHERNET, f"net: frame of {len(data)} bytes"
        if self.output is not None:
            self.output(Packet(data, csum_start, csum_offset, gso_size))

    def flush(self) -> None:
        """Frames were taken by send."""

    def receive(self, packet: Packet) -> bool:
        """A frame arrives.  False if there is no room for it."""
        if len(self._received) >= BACKLOG:
            return False
        self._received.append(packet)
        if not self._told and self._on_receive is not None:
            self._told = True
            self._post(self._on_receive)
        return True

    def on_full(self, handler: Callable[[bool], None]) -> None:
        """Frames do not wait here: what is too much is lost."""

    def recv(self) -> SimFrame | None:
        if not self._received:
            self._told = False
            return None
        packet = self._received.popleft()
        frame = self._frame
        frame.view = frame.buffer.view[: len(packet.data)]
        frame.view[:] = packet.data
        frame.csum_ok = packet.csum_ok
        frame.gso_size = packet.gso_size
        return frame

    def on_receive(self, handler: Callable[[], None]) -> None:
        self._on_receive = handler
        if self._received and not self._told:
            self._told = True
            self._post(handler)


class Direction:
    """One way of a link."""

    def __init__(
        self, world: SimWorld, name: str, source: SimNet, sink: SimNet, random: Random
    ) -> None:
        self.delay_ns = 0
        self.loss = 0.0
        self.rate_bps = 0
        """Bits per second; 0: no limit, and no queue."""
        self.queue_bytes = 0
        self.segment = False
        """Cut super-segments and complete checksums even if the receiver could take them as is."""
        self.up = True
        self.faults: deque[Fault] = deque()
        """One for each of the next frames."""
        self._world = world
        self._name = name
        self._sink = sink
        self._random = random
        self._busy_until_ns = 0
        source.output = self.transmit

    def transmit(self, packet: Packet) -> None:
        """Put a frame onto the link, as the pieces it crosses it in."""
        sink = self._sink
        if packet.gso_size and (self.segment or len(packet.data) > sink.gso_max_bytes + ETHERNET):
            pieces = segment(packet)
        elif packet.csum_start and (self.segment or not sink.csum_offload):
            pieces = [complete(packet)]
        else:
            pieces = [packet]
        for piece in pieces:
            self._transmit(piece)

    def _transmit(self, packet: Packet) -> None:
        fault = self.faults.popleft() if self.faults else None
        self._trace("sent", packet)
        if not self.up:
            self._trace("unplugged", packet)
        elif fault == "drop":
            self._trace("drop", packet)
        elif self.loss and self._random.random() < self.loss:
            self._trace("loss", packet)
        else:
            due = self._departure(len(packet.data))
            if due is None:
                self._trace("queue", packet)
                return
            if fault == "corrupt":
                packet = self._corrupt(packet)
            due += self.delay_ns + (REORDER_NS if fault == "reorder" else 0)
            for _ in range(2 if fault == "duplicate" else 1):
                self._world.call_at(due, lambda: self._arrive(packet))

    def _departure(self, length: int) -> int | None:
        """When the last bit is on the wire; None if the queue is full."""
        now = self._world.now_ns
        if not self.rate_bps:
            return now
        start = max(self._busy_until_ns, now)
        if (start - now) * self.rate_bps > self.queue_bytes * 8_000_000_000:
            return None
        self._busy_until_ns = start + length * 8_000_000_000 // self.rate_bps
        return self._busy_until_ns

    def _corrupt(self, packet: Packet) -> Packet:
        """Flip one bit behind the Ethernet header, under a checksum that can tell."""
        packet = complete(packet)
        data = bytearray(packet.data)
        bit = self._random.randrange(ETHERNET * 8, len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        return replace(packet, data=bytes(data))

    def _arrive(self, packet: Packet) -> None:
        sink = self._sink
        limit = sink.gso_max_bytes if packet.gso_size else sink.mtu_bytes
        if len(packet.data) > limit + ETHERNET:
            self._trace("size", packet)
        elif sink.receive(replace(packet, csum_ok=bool(packet.csum_start))):
            self._trace("received", packet)
        else:
            self._trace("backlog", packet)

    def _trace(self, event: str, packet: Packet) -> None:
        world = self._world
        data = packet.data if world.capture else b""
        world.trace.append(Traced(world.now_ns, self._name, event, data))


class SimLink:
    """Both directions between two devices."""

    def __init__(self, forward: Direction, backward: Direction) -> None:
        self.forward = forward
        """From the first to the second host of SimWorld.link."""
        self.backward = backward

    def disturb(self, fault: Fault, way: Literal["forward", "backward"] = "forward") -> None:
        """The next frame that way suffers."""
        (self.forward if way == "forward" else self.backward).faults.append(fault)

    def heal(self) -> None:
        """No loss and no pending faults any more, cable plugged in."""
        for direction in (self.forward, self.backward):
            direction.loss = 0.0
            direction.faults.clear()
            direction.up = True

    def unplug(self) -> None:
        self.forward.up = self.backward.up = False
