"""virtio over MMIO, version 2 (VIRTIO 1.2, 4.2): the registers of one slot, whatever is behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from minion.bus import BusError
from minion.devices.virtqueue import RingError, Virtqueue
from minion.ram import Ram

MAGIC: Final = 0x74726976
VENDOR: Final = 0x554D4551
"""QEMU's: xv6-riscv drives no other."""
MAGIC_VALUE: Final = 0x000
VERSION: Final = 0x004
DEVICE_ID: Final = 0x008
VENDOR_ID: Final = 0x00C
DEVICE_FEATURES: Final = 0x010
DEVICE_FEATURES_SEL: Final = 0x014
DRIVER_FEATURES: Final = 0x020
DRIVER_FEATURES_SEL: Final = 0x024
QUEUE_SEL: Final = 0x030
QUEUE_NUM_MAX: Final = 0x034
QUEUE_NUM: Final = 0x038
QUEUE_READY: Final = 0x044
QUEUE_NOTIFY: Final = 0x050
INTERRUPT_STATUS: Final = 0x060
INTERRUPT_ACK: Final = 0x064
STATUS: Final = 0x070
QUEUE_DESC: Final = 0x080
QUEUE_DRIVER: Final = 0x090
QUEUE_DEVICE: Final = 0x0A0
SHM_LEN: Final = 0x0B0
CONFIG_GENERATION: Final = 0x0FC
CONFIG: Final = 0x100

DRIVER_OK: Final = 0x04
FEATURES_OK: Final = 0x08
NEEDS_RESET: Final = 0x40
FAILED: Final = 0x80
VERSION_1: Final = 1 << 32
USED_BUFFER: Final = 1
CONFIG_CHANGE: Final = 2


class Backend(Protocol):
    """What makes a virtio device a NIC or a disk."""

    device_id: int
    features: int
    """What is offered, besides VERSION_1."""
    modern: bool
    """VERSION_1 must be accepted: what is on its queues would have another layout without it."""

    @property
    def queue_sizes(self) -> Sequence[int]: ...

    def config(self) -> bytes:
        """The device's configuration space."""

    def started(self, features: int) -> None:
        """DRIVER_OK, with these features."""

    def notify(self, queue: int) -> None:
        """The doorbell.  The queue is ready; RingError sets NEEDS_RESET."""

    def stopped(self) -> None:
        """Reset."""


class VirtioMmio:
    def __init__(self, ram: Ram, backend: Backend, irq: Callable[[bool], None]) -> None:
        self.backend = backend
        self.queues = [Virtqueue(ram, size) for size in backend.queue_sizes]
        self.status = 0
        self.counters = {"notifies": 0, "interrupts": 0, "ring_errors": 0}
        self._irq = irq
        self._isr = 0
        self._features_sel = 0
        self._driver_sel = 0
        self._driver_features = 0
        self._queue_sel = 0

    @property
    def live(self) -> bool:
        """Driven, and not broken."""
        return self.status & (DRIVER_OK | NEEDS_RESET) == DRIVER_OK

    def interrupt(self, queue: Virtqueue) -> None:
        """Used buffers are there, if the driver wants to hear of it."""
        if not self._isr & USED_BUFFER and queue.wants_interrupt():
            self._isr |= USED_BUFFER
            self.counters["interrupts"] += 1
            self._irq(True)

    def _raise(self, cause: int) -> None:
        self._isr |= cause
        self.counters["interrupts"] += 1
        self._irq(True)

    def broken(self) -> None:
        """The driver broke the rules (2.1.2): stop, and say so."""
        self.counters["ring_errors"] += 1
        self.status |= NEEDS_RESET
        if self.status & DRIVER_OK:
            self._raise(CONFIG_CHANGE)

    def read(self, offset: int, size: int) -> int:
        if offset >= CONFIG:
            config = self.backend.config()[offset - CONFIG :][:size]
            return int.from_bytes(config, "little")
        if offset == INTERRUPT_STATUS:
            return self._isr
        if size != 4 or offset & 3:
            raise BusError("virtio-mmio: registers are 32 bits wide")
        return self._read_register(offset)

    def _read_register(self, offset: int) -> int:
        queue = self._queue()
        if offset == DEVICE_FEATURES:
            if self._features_sel > 1:
                return 0
            return (self.backend.features | VERSION_1) >> 32 * self._features_sel & 0xFFFF_FFFF
        if offset == QUEUE_NUM_MAX:
            return queue.size_max if queue else 0
        if offset == QUEUE_READY:
            return int(queue.ready) if queue else 0
        if offset in (SHM_LEN, SHM_LEN + 4):
            return 0xFFFF_FFFF  # no such region (4.2.2)
        return {
            MAGIC_VALUE: MAGIC,
            VERSION: 2,
            DEVICE_ID: self.backend.device_id,
            VENDOR_ID: VENDOR,
            STATUS: self.status,
        }.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset == QUEUE_NOTIFY:
            live = self.status & (DRIVER_OK | NEEDS_RESET) == DRIVER_OK
            if live and value < len(self.queues) and self.queues[value].ready:
                self.counters["notifies"] += 1
                try:
                    self.backend.notify(value)
                except RingError:
                    self.broken()
        elif offset == INTERRUPT_ACK:
            self._isr &= ~value
            if not self._isr:
                self._irq(False)
        elif offset >= CONFIG:
            return  # no device here has a writable configuration
        elif size != 4 or offset & 3:
            raise BusError("virtio-mmio: registers are 32 bits wide")
        elif offset == STATUS:
            self._set_status(value)
        elif offset == DEVICE_FEATURES_SEL:
            self._features_sel = value
        elif offset == DRIVER_FEATURES_SEL:
            self._driver_sel = value
        elif offset == DRIVER_FEATURES:
            if self._driver_sel < 2 and not self.status & FEATURES_OK:
                shift = 32 * self._driver_sel
                self._driver_features &= ~(0xFFFF_FFFF << shift)
                self._driver_features |= value << shift
        elif offset == QUEUE_SEL:
            self._queue_sel = value
        elif (queue := self._queue()) is not None:
            self._write_queue(queue, offset, value)

    def _queue(self) -> Virtqueue | None:
        return self.queues[self._queue_sel] if self._queue_sel < len(self.queues) else None

    def _write_queue(self, queue: Virtqueue, offset: int, value: int) -> None:
        if offset == QUEUE_READY:
            queue.ready = False
            if value & 1:
                try:
                    queue.start()
                except RingError:
                    self.broken()
        elif queue.ready:
            return  # 4.2.2.2: not while the queue is in use
        elif offset == QUEUE_NUM:
            queue.size = value
        elif offset & ~4 == QUEUE_DESC:
            queue.desc_addr = half(queue.desc_addr, offset, value)
        elif offset & ~4 == QUEUE_DRIVER:
            queue.driver_addr = half(queue.driver_addr, offset, value)
        elif offset & ~4 == QUEUE_DEVICE:
            queue.device_addr = half(queue.device_addr, offset, value)

    def _set_status(self, value: int) -> None:
        value &= 0xFF
        if value == 0:
            self._reset()
            return
        new = value & ~self.status
        keep = self.status & NEEDS_RESET
        if new & FEATURES_OK:
            offered = self.backend.features | VERSION_1
            asked = self._driver_features
            if asked & ~offered or (self.backend.modern and not asked & VERSION_1):
                value &= ~FEATURES_OK  # the driver sees it missing and gives up (3.1.1)
        self.status = value | keep
        if new & DRIVER_OK and self.status & FEATURES_OK and self.live:
            self.backend.started(self._driver_features)

    def _reset(self) -> None:
        self.status = 0
        self._isr = 0
        self._irq(False)
        self._driver_features = 0
        self._features_sel = self._driver_sel = self._queue_sel = 0
        for queue in self.queues:
            queue.reset()
        self.backend.stopped()


def half(addr: int, offset: int, value: int) -> int:
    """A 64-bit address with one of its 32-bit halves replaced."""
    if offset & 4:
        return addr & 0xFFFF_FFFF | value << 32
    return addr & ~0xFFFF_FFFF | value & 0xFFFF_FFFF
