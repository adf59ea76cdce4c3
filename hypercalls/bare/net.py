"""The virtio-net driver.

Theory of operation.  Transmission: the ring's descriptors are divided into groups of GROUP, one
group per frame, their links written once at boot.  The first descriptor of a group points to its
slot, where virtio_net_hdr and the frame's header are written; the others point straight into the
payload's buffers.  `send` only fills descriptors, `flush` publishes them and rings once, and then
takes back what the device is done with; until then the payload's references are held.  A payload of
more slices than a group has descriptors is copied together.  When the ring is full frames wait, in
order, until the device's transmit interrupt, which is off otherwise.

Reception: every descriptor is one buffer large enough for a 64 KiB super-segment.  The frame handed
out by `recv` is put back into the ring by the next `recv`, unless it was kept.  Keeping a short
frame copies it, so that 100 bytes do not hold 68 KiB; a long one is replaced by a new buffer.
The receive interrupt is off while the driver polls and comes on when it finds nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from hypercalls.api import Buffer, Memory, Slice
from hypercalls.bare.intr import Interrupts
from hypercalls.bare.machine import Machine
from hypercalls.bare.virtio import F_NEXT, F_WRITE, NO_INTERRUPT, Device, Ring

CSUM: Final = 1 << 0
GUEST_CSUM: Final = 1 << 1
F_MTU: Final = 1 << 3
MAC: Final = 1 << 5
GUEST_TSO4: Final = 1 << 7
GUEST_TSO6: Final = 1 << 8
HOST_TSO4: Final = 1 << 11
HOST_TSO6: Final = 1 << 12
F_STATUS: Final = 1 << 16
WANTED: Final = (
    CSUM | GUEST_CSUM | F_MTU | MAC | GUEST_TSO4 | GUEST_TSO6 | HOST_TSO4 | HOST_TSO6 | F_STATUS
)
RX: Final = 0
TX: Final = 1

HEADER = Struct("<BBHHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, buffers
PLAIN: Final = bytes(HEADER.size)
NEEDS_CSUM: Final = 1
DATA_VALID: Final = 2
GSO_TCPV4: Final = 1
GSO_TCPV6: Final = 4
IPV6_TYPE: Final = 0x86
"""First byte of EtherType 0x86dd, at offset 12 of the frame."""

GROUP: Final = 8
SLOT: Final = 256
SLOT_HEADER: Final = SLOT - HEADER.size
FRAME_MIN: Final = 14
BUFFER: Final = HEADER.size + 14 + 65535
"""5.1.6.3.1: 65,562 bytes with the legacy byte; what a 64 KiB super-segment needs."""
COPYBREAK: Final = 16384
"""Longest frame that keep copies: 1 us, where a new buffer would cost half of that and 68 KiB."""


Waiting = tuple[bytes, tuple[Slice, ...], int, int, int]
"""The arguments of a send."""
WAITING_MAX: Final = 16384
"""Frames that wait for the device, as in the queue of an interface: bursts, but not for ever."""


class RxFrame:
    """api.Frame; there is one per device."""

    __slots__ = ("_net", "buffer", "csum_ok", "gso_size", "offset", "view")

    def __init__(self, net: VirtioNet, buffer: Buffer) -> None:
        self._net = net
        self.buffer = buffer
        self.offset = HEADER.size
        self.view = buffer.view[:0]
        self.csum_ok = False
        self.gso_size = 0

    def keep(self) -> Slice | None:
        return self._net.keep(self.view)


class VirtioNet:
    """api.Net."""

    def __init__(
        self,
        machine: Machine,
        memory: Memory,
        interrupts: Interrupts,
        device: Device,
        frames: int,
        buffers: int,
    ) -> None:
        features = device.negotiate(WANTED)
        self.mac = device.config(0, 4).to_bytes(4, "little") + device.config(4, 2).to_bytes(
            2, "little"
        )
        self.mtu_bytes = device.config(10, 2) if features & F_MTU else 1500
        self.csum_offload = bool(features & CSUM)
        both = HOST_TSO4 | HOST_TSO6
        self.gso_max_bytes = 65535 if self.csum_offload and features & both == both else 0
        self.counters = {"tx_dropped": 0, "tx_linearised": 0, "rx_runts": 0}
        self._memory = memory
        self._ram = machine.ram
        self._ram_base = machine.ram_base
        self._device = device
        self._on_receive: Callable[[], None] | None = None
        self._start_tx(Ring(machine, memory, device, TX, frames * GROUP))
        self._start_rx(Ring(machine, memory, device, RX, buffers))
        device.start()
        interrupts.establish(device.irq, self._interrupt)

    # -- transmission

    def _start_tx(self, ring: Ring) -> None:
        frames = ring.size // GROUP
        slots = self._memory.alloc(SLOT * frames)
        if slots is None:
            raise MemoryError("net: no memory for transmit slots")
        self._tx = ring
        self._slots: Buffer = slots
        self._slot_addr = [slots.addr + SLOT * n for n in range(frames)]
        self._free = list(range(frames))
        self._held: list[object] = [None] * frames
        self._queued = False
        self._waiting: deque[Waiting] = deque()
        self._refilling = False
        self._full: Callable[[bool], None] = lambda _full: None
        ring.silence(True)

    def send(
        self,
        header: bytes,
        payload: Sequence[Slice] = (),
        csum_start: int = 0,
        csum_offset: int = 0,
        gso_size: int = 0,
    ) -> None:
        if not self._free or self._waiting:
            self.flush()
            if not self._free or self._waiting:
                self._wait((header, tuple(payload), csum_start, csum_offset, gso_size))
                return
        length = len(header)
        if length > SLOT_HEADER or len(payload) >= GROUP:
            self._send_copied(header, payload, csum_start, csum_offset, gso_size)
            return
        group = self._free.pop()
        addr = self._slot_addr[group]
        offset = addr - self._ram_base
        if csum_start:
            kind = 0
            if gso_size:
                kind = GSO_TCPV6 if header[12] == IPV6_TYPE else GSO_TCPV4
            start = HEADER.pack(NEEDS_CSUM, kind, length, gso_size, csum_start, csum_offset, 0)
        else:
            start = PLAIN
        length += 12
        self._ram[offset : offset + length] = start + header
        tx = self._tx
        u64 = tx.u64
        head = group * GROUP
        index = tx.desc + (head << 1)
        u64[index] = addr
        if payload:
            self._held[group] = payload if type(payload) is tuple else tuple(payload)
            follow = head
            for buffer, start_at, count in payload:
                follow += 1
                u64[index + 1] = length | F_NEXT << 32 | follow << 48
                index += 2
                u64[index] = buffer.addr + start_at
                length = count
        u64[index + 1] = length
        next_avail = tx.next_avail
        tx.u16[tx.avail + 2 + (next_avail & tx.mask)] = head
        tx.next_avail = next_avail + 1 & 0xFFFF
        self._queued = True

    def _send_copied(
        self,
        header: bytes,
        payload: Sequence[Slice],
        csum_start: int,
        csum_offset: int,
        gso_size: int,
    ) -> None:
        """Frames that do not fit a group: all behind the first bytes in one buffer."""
        split = min(len(header), SLOT_HEADER)
        total = len(header) - split + sum(piece[2] for piece in payload)
        buffer = self._memory.alloc(total)
        if buffer is None:
            self.counters["tx_dropped"] += 1
            return
        self.counters["tx_linearised"] += 1
        end = len(header) - split
        view = buffer.view
        view[:end] = header[split:]
        for source, offset, length in payload:
            view[end : end + length] = source.view[offset : offset + length]
            end += length
        self.send(header[:split], ((buffer, 0, total),), csum_start, csum_offset, gso_size)

    def _wait(self, frame: Waiting) -> None:
        """The device takes no more at the moment: it tells when it does, and `flush` goes on."""
        if len(self._waiting) >= WAITING_MAX:
            self.counters["tx_dropped"] += 1
            return
        self._waiting.append(frame)
        if len(self._waiting) == 1 and not self._refilling:
            self._tx.silence(False)
            self._full(True)

    def _refill(self) -> None:
        """Move frames that wait into the ring, as long as the device takes them."""
        self._refilling = True
        while self._waiting and self._free:
            waiting, self._waiting = self._waiting, deque()
            while waiting and self._free:
                self.send(*waiting.popleft())
            self._waiting = waiting
            self.flush()
        self._refilling = False
        if not self._waiting:
            self._tx.silence(True)
            self._full(False)

    def flush(self) -> None:
        tx = self._tx
        if self._queued:
            self._queued = False
            tx.u16[tx.avail + 1] = tx.next_avail
            self._device.notify(TX)
        ahead = tx.u16[tx.used_flags + 1] - tx.next_used & 0xFFFF
        if not ahead:
            return
        u32, mask, used = tx.u32, tx.mask, tx.next_used
        held, free = self._held, self._free
        for _ in range(min(ahead, tx.size)):
            group = (u32[tx.used_ring + ((used & mask) << 1)] & mask) // GROUP
            used += 1
            held[group] = None
            free.append(group)
        tx.next_used = used & 0xFFFF
        if self._waiting and not self._refilling:
            self._refill()

    def on_full(self, handler: Callable[[bool], None]) -> None:
        self._full = handler

    # -- reception

    def _start_rx(self, ring: Ring) -> None:
        self._rx = ring
        self._buffers: list[Buffer] = []
        for index in range(ring.size):
            buffer = self._memory.alloc(BUFFER)
            if buffer is None:
                raise MemoryError("net: no memory for receive buffers")
            self._buffers.append(buffer)
            self._post(index, buffer)
        ring.publish()
        self._current = -1
        self._frame = RxFrame(self, self._buffers[0])

    def _post(self, index: int, buffer: Buffer) -> None:
        self._rx.describe(index, buffer.addr, BUFFER, writable=True)
        self._rx.offer(index)

    def recv(self) -> RxFrame | None:
        rx = self._rx
        u16 = rx.u16
        current = self._current
        if current >= 0:  # the last frame's buffer goes back
            self._current = -1
            next_avail = rx.next_avail
            u16[rx.avail + 2 + (next_avail & rx.mask)] = current
            rx.next_avail = next_avail = next_avail + 1 & 0xFFFF
            u16[rx.avail + 1] = next_avail
            if not u16[rx.used_flags]:  # the device has run dry and wants the doorbell
                self._device.notify(RX)
        next_used = rx.next_used
        while True:
            if u16[rx.used_flags + 1] == next_used:
                u16[rx.avail] = 0
                if u16[rx.used_flags + 1] == next_used:
                    return None
                u16[rx.avail] = NO_INTERRUPT
            slot = rx.used_ring + ((next_used & rx.mask) << 1)
            rx.next_used = next_used = next_used + 1 & 0xFFFF
            index = rx.u32[slot] & rx.mask
            length = rx.u32[slot + 1]
            if HEADER.size + FRAME_MIN <= length <= BUFFER:
                break
            self.counters["rx_runts"] += 1
            self._rx.offer(index)
            self._rx.publish()
        self._current = index
        frame = self._frame
        frame.buffer = buffer = self._buffers[index]
        offset = buffer.addr - self._ram_base
        ram = self._ram
        frame.view = ram[offset + 12 : offset + length]
        frame.csum_ok = ram[offset] & (NEEDS_CSUM | DATA_VALID) != 0
        frame.gso_size = u16[offset + 4 >> 1] if ram[offset + 1] else 0
        return frame

    def keep(self, view: memoryview) -> Slice | None:
        """RxFrame.keep."""
        length = len(view)
        if self._current < 0:
            raise RuntimeError("frame: kept twice, or after the next recv")
        if length <= COPYBREAK:
            copy = self._memory.alloc(length)
            if copy is None:
                return None
            copy.view[:] = view
            return copy, 0, length
        new = self._memory.alloc(BUFFER)
        if new is None:
            return None
        index = self._current
        kept = self._buffers[index]
        self._buffers[index] = new
        rx = self._rx
        rx.u64[rx.desc + 2 * index] = new.addr
        rx.u64[rx.desc + 2 * index + 1] = BUFFER | F_WRITE << 32
        return kept, HEADER.size, length

    def on_receive(self, handler: Callable[[], None]) -> None:
        self._on_receive = handler

    def _interrupt(self) -> None:
        self._device.acknowledge()
        self._rx.silence(True)
        if self._waiting:
            self.flush()
        if self._on_receive is not None:
            self._on_receive()
