"""The cable between the minion's NIC and the gateway's stack: a NicPort on one side, a Net on the
other, and frames with offload on both, so that a super-segment is never cut up.

Towards the minion a frame goes straight into a buffer of the NIC's ring.  While there is none,
frames wait, and the gateway's stack is told that its interface is full: data and FINs then wait in
their connections.  What it sends all the same (answers, datagrams) is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct

from hypercalls.api import Buffer, Memory, Slice
from minion.netdev.api import NicPort

VNET = Struct("<BBHHHHH")
VNET_BYTES = VNET.size
NEEDS_CSUM, DATA_VALID, GSO_TCPV4 = 1, 2, 1
FRAME_BYTES = 14 + 65535
QUEUE_FRAMES = 1024
"""From the minion: as many as the NIC's ring has, and as Linux's txqueuelen, about."""
WAITING_FRAMES = 16384
"""For the minion, as in hypercalls/bare/net.py; 10,000 connections may be reset at once."""
WAITING_BYTES = 16 << 20
POOL_BUFFERS = 256


class LinkFrame:
    """api.Frame: each has a buffer of its own, which goes back to the pool unless it is kept."""

    __slots__ = ("buffer", "csum_ok", "gso_size", "kept", "offset", "view")

    def __init__(self, buffer: Buffer, length: int, csum_ok: bool, gso_size: int) -> None:
        self.buffer = buffer
        self.offset = 0
        self.view = buffer.view[:length]
        self.csum_ok = csum_ok
        self.gso_size = gso_size
        self.kept = False

    def keep(self) -> Slice | None:
        self.kept = True
        return self.buffer, 0, len(self.view)


class LinkNet:
    """The gateway's api.Net."""

    gso_max_bytes = 65535
    csum_offload = True

    def __init__(self, memory: Memory, mac: bytes, mtu_bytes: int, interrupt: Callable[
        [Callable[[], None]], None]) -> None:  # fmt: skip
        """interrupt: has a handler called in the gateway's interrupt context."""
        self.mac = mac
        self.mtu_bytes = mtu_bytes
        self.counters = {"to_minion": 0, "to_minion_bytes": 0, "from_minion": 0,
                         "from_minion_bytes": 0, "dropped": 0}  # fmt: skip
        self._memory = memory
        self._interrupt = interrupt
        self._queue: deque[LinkFrame] = deque()
        self._waiting: deque[bytearray] = deque()
        """For the minion, header first: it had no buffer for them."""
        self._waiting_bytes = 0
        self._full: Callable[[bool], None] = lambda _full: None
        self._pool: list[Buffer] = []
        self._last: LinkFrame | None = None
        self._handler: Callable[[], None] | None = None
        self._port: NicPort | None = None
        self._sent = False
        self._held = False

    def attach(self, port: NicPort) -> None:
        self._port = port
        port.on_rx_space(self._rx_space)

    # -- minion to gateway

    def transmit(self, frame: list[memoryview]) -> None:
        """Take one frame from the NIC; its first view starts with the virtio_net_hdr."""
        length = sum(map(len, frame)) - VNET_BYTES
        if len(self._queue) >= QUEUE_FRAMES or length > FRAME_BYTES:
            self.counters["dropped"] += 1
            return
        buffer = self._pool.pop() if self._pool else self._memory.alloc(FRAME_BYTES)
        if buffer is None:
            self.counters["dropped"] += 1
            return
        first = frame[0]
        if len(first) < VNET_BYTES:  # a guest may scatter as it likes
            frame = [memoryview(b"".join(frame))]
            first = frame[0]
        flags, gso_type, _, gso_size, _, _, _ = VNET.unpack_from(first)
        target = buffer.view
        at = len(first) - VNET_BYTES
        target[:at] = first[VNET_BYTES:]
        for view in frame[1:]:
            end = at + len(view)
            target[at:end] = view
            at = end
        csum_ok = bool(flags & (NEEDS_CSUM | DATA_VALID))
        if len(self._queue) >= QUEUE_FRAMES - 1 and self._port is not None:
            self._held = True
            self._port.tx_hold()
        self._queue.append(LinkFrame(buffer, length, csum_ok, gso_size if gso_type else 0))
        self.counters["from_minion"] += 1
        self.counters["from_minion_bytes"] += length

    def doorbell(self) -> None:
        if self._handler is not None and self._queue:
            self._interrupt(self._handler)

    def on_full(self, handler: Callable[[bool], None]) -> None:
        self._full = handler

    def recv(self) -> LinkFrame | None:
        last = self._last
        if last is not None and not last.kept and len(self._pool) < POOL_BUFFERS:
            self._pool.append(last.buffer)
        self._last = frame = self._queue.popleft() if self._queue else None
        if frame is None and self._held and self._port is not None:
            self._held = False
            self._port.tx_ready()  # what waited in the ring: the doorbell is rung for it
        return frame

    def on_receive(self, handler: Callable[[], None]) -> None:
        self._handler = handler

    # -- gateway to minion

    def send(
        self,
        header: bytes,
        payload: Sequence[Slice] = (),
        csum_start: int = 0,
        csum_offset: int = 0,
        gso_size: int = 0,
    ) -> None:
        port = self._port
        target = port.rx_buffer() if port is not None and not self._waiting else None
        waiting: bytearray | None = None
        if port is None or target is None:
            length = VNET_BYTES + len(header) + sum([length for _, _, length in payload])
            waiting = self._wait(length)
            if waiting is None:
                return
            target = memoryview(waiting)
        # What never crossed a wire needs no checksum: the partial one says so.
        flags = NEEDS_CSUM if csum_start else DATA_VALID
        kind = GSO_TCPV4 if gso_size else 0
        VNET.pack_into(target, 0, flags, kind, len(header), gso_size, csum_start, csum_offset, 1)
        at = VNET_BYTES + len(header)
        target[VNET_BYTES:at] = header
        for buffer, offset, length in payload:
            end = at + length
            target[at:end] = buffer.view[offset : offset + length]
            at = end
        if waiting is None:
            self._commit(at)

    def _wait(self, length: int) -> bytearray | None:
        """A place in the queue, to be filled.  None: it is full in earnest."""
        waiting = self._waiting
        if len(waiting) >= WAITING_FRAMES or self._waiting_bytes + length > WAITING_BYTES:
            self.counters["dropped"] += 1
            return None
        frame = bytearray(length)
        waiting.append(frame)
        self._waiting_bytes += length
        if len(waiting) == 1:
            self._full(True)
        return frame

    def _commit(self, length: int) -> None:
        port = self._port
        assert port is not None
        port.rx_commit(length)
        self._sent = True
        self.counters["to_minion"] += 1
        self.counters["to_minion_bytes"] += length - VNET_BYTES

    def _rx_space(self) -> None:
        """The minion has posted buffers: what waits goes first."""
        port = self._port
        assert port is not None
        waiting = self._waiting
        held = bool(waiting)
        while waiting:
            target = port.rx_buffer()
            if target is None:
                break
            frame = waiting.popleft()
            self._waiting_bytes -= len(frame)
            target[: len(frame)] = frame
            self._commit(len(frame))
        self.flush()
        if held and not waiting:
            self._interrupt(self._room)

    def _room(self) -> None:
        """In the gateway's interrupt context."""
        if not self._waiting:
            self._full(False)

    def flush(self) -> None:
        if self._sent and self._port is not None:
            self._sent = False
            self._port.rx_done()
