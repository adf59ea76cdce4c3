"""virtio-net (VIRTIO 1.2, 5.1): between the rings of the guest and a netdev, without a copy."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from minion.devices.virtio_mmio import VirtioMmio
from minion.devices.virtqueue import RingError, Virtqueue
from minion.netdev.api import Netdev
from minion.ram import Ram

CSUM: Final = 1 << 0
GUEST_CSUM: Final = 1 << 1
MTU: Final = 1 << 3
MAC: Final = 1 << 5
GUEST_TSO4: Final = 1 << 7
GUEST_TSO6: Final = 1 << 8
HOST_TSO4: Final = 1 << 11
HOST_TSO6: Final = 1 << 12
STATUS: Final = 1 << 16

RX: Final = 0
TX: Final = 1
QUEUE_SIZE: Final = 1024
HEADER: Final = 12
ETHERNET: Final = 14
FRAME_MAX: Final = HEADER + ETHERNET + 65535
CONFIG = Struct("<6sHHH")  # mac, status, max_virtqueue_pairs, mtu
LINK_UP: Final = 1


class VirtioNet:
    """The device; it is also the NicPort of its netdev."""

    device_id = 1
    modern = True
    features = (
        CSUM | GUEST_CSUM | MTU | MAC | GUEST_TSO4 | GUEST_TSO6 | HOST_TSO4 | HOST_TSO6 | STATUS
    )
    queue_sizes = (QUEUE_SIZE, QUEUE_SIZE)

    def __init__(
        self,
        ram: Ram,
        netdev: Netdev,
        mac: bytes,
        mtu_bytes: int,
        irq: Callable[[bool], None],
    ) -> None:
        self.mac = mac
        self.mtu_bytes = mtu_bytes
        self.guest_csum = self.guest_tso4 = self.guest_tso6 = False
        self.tx_packets = self.tx_bytes = self.rx_packets = self.rx_bytes = 0
        self.counters = {"tx_bad": 0, "rx_starved": 0, "rx_small_buffers": 0}
        self.mmio = VirtioMmio(ram, self, irq)
        self._netdev = netdev
        self._rx = self.mmio.queues[RX]
        self._tx = self.mmio.queues[TX]
        self._head = -1
        self._buffer: memoryview | None = None
        self._chain: list[memoryview] = []
        self._starved = False
        self._tx_held = False
        self._rx_space: Callable[[], None] | None = None
        netdev.attach(self)

    def account(self) -> dict[str, int]:
        return {
            "tx_packets": self.tx_packets,
            "tx_bytes": self.tx_bytes,
            "rx_packets": self.rx_packets,
            "rx_bytes": self.rx_bytes,
            **self.counters,
            **self.mmio.counters,
        }

    # -- virtio_mmio.Backend

    def config(self) -> bytes:
        return CONFIG.pack(self.mac, LINK_UP, 1, self.mtu_bytes)

    def started(self, features: int) -> None:
        self.guest_csum = bool(features & GUEST_CSUM)
        self.guest_tso4 = bool(features & GUEST_TSO4)
        self.guest_tso6 = bool(features & GUEST_TSO6)
        self._space()

    def stopped(self) -> None:
        """A netdev that waits for buffers goes on waiting: the next driver posts some."""
        self._head = -1
        self._buffer = None
        self._chain = []
        self.guest_csum = self.guest_tso4 = self.guest_tso6 = False

    def notify(self, queue: int) -> None:
        if queue == TX:
            self._transmit()
        elif queue == RX:
            self._space()

    # -- transmission

    def _transmit(self) -> None:
        tx = self._tx
        transmit = self._netdev.transmit
        take, readable, give = tx.take, tx.readable, tx.give
        packets = 0
        total = 0
        try:
            while not self._tx_held and (head := take()) >= 0:
                frame = readable(head)
                length = 0
                for view in frame:
                    length += len(view)
                try:
                    if HEADER + ETHERNET <= length <= FRAME_MAX:
                        packets += 1
                        total += length
                        transmit(frame)
                    else:
                        self.counters["tx_bad"] += 1
                finally:
                    give(head, 0)
        finally:
            self.tx_packets += packets
            self.tx_bytes += total - packets * HEADER
            if packets:
                self._netdev.flush()
            self.mmio.interrupt(tx)

    # -- netdev.api.NicPort

    def tx_hold(self) -> None:
        self._tx_held = True

    def tx_ready(self) -> None:
        if self._tx_held:
            self._tx_held = False
            if self._tx.ready and self.mmio.live:
                self._transmit()

    def rx_buffer(self) -> memoryview | None:
        if self._buffer is not None:
            return self._buffer
        if not self._rx.ready or not self.mmio.live:
            self._starved = True
            return None
        try:
            return self._next_buffer(self._rx)
        except RingError:
            self.mmio.broken()
            return None

    def _next_buffer(self, rx: Virtqueue) -> memoryview | None:
        while (head := rx.take()) >= 0:
            views = rx.writable(head)
            self._head = head
            if len(views) == 1:
                view = views[0]
                self._chain = []
            else:  # scattered, as Linux posts it: through a buffer of our own
                self._chain = views
                view = memoryview(bytearray(min(sum(map(len, views)), FRAME_MAX)))
            if len(view) >= HEADER + ETHERNET:
                self._buffer = view
                return view
            self.counters["rx_small_buffers"] += 1
            rx.give(head, 0)
        if not self._starved:
            self._starved = True
            self.counters["rx_starved"] += 1
            rx.want_notify(True)
            if not rx.empty:  # posted before the driver could see that we want the doorbell
                self._starved = False
                return self._next_buffer(rx)
        return None

    def rx_commit(self, length: int) -> None:
        buffer = self._buffer
        if buffer is None:
            return  # the guest reset the device meanwhile: the frame is lost
        if self._chain:
            self._scatter(buffer[:length])
        else:
            buffer[10:12] = b"\1\0"  # num_buffers (5.1.6.4.1)
        self._buffer = None
        self._rx.give(self._head, length)
        self.rx_packets += 1
        self.rx_bytes += length - HEADER

    def _scatter(self, data: memoryview) -> None:
        data[10:12] = b"\1\0"
        start = 0
        for view in self._chain:
            piece = data[start : start + len(view)]
            view[: len(piece)] = piece
            start += len(piece)
            if start == len(data):
                break

    def rx_done(self) -> None:
        if self._rx.ready:
            self.mmio.interrupt(self._rx)

    def on_rx_space(self, handler: Callable[[], None]) -> None:
        self._rx_space = handler

    def _space(self) -> None:
        """The guest has posted receive buffers."""
        if not self._rx.ready:
            return
        self._rx.want_notify(False)
        if self._starved:
            self._starved = False
            if self._rx_space is not None:
                self._rx_space()
