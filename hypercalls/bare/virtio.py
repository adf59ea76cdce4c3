"""The driver's half of virtio: probing, negotiation, and the split ring (VIRTIO 1.2, 2.7 and 4.2).

Rings live in one buffer each, allocated like any other.  Numbers the device writes are masked or
checked before they are used as an index: a broken device must not take the rump kernel with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypercalls.api import Buffer, Memory
from hypercalls.bare.machine import VIRTIO, VIRTIO_IRQ, VIRTIO_SLOTS, VIRTIO_STRIDE, Machine

NET: Final = 1
BLOCK: Final = 2
ENTROPY: Final = 4

MAGIC: Final = 0x74726976
DEVICE_ID: Final = 0x008
DEVICE_FEATURES: Final = 0x010
DEVICE_FEATURES_SEL: Final = 0x014
DRIVER_FEATURES: Final = 0x020
DRIVER_FEATURES_SEL: Final = 0x024
QUEUE_SEL: Final = 0x030
QUEUE_NUM_MAX: Final = 0x034
QUEUE_NUM: Final = 0x038
QUEUE_READY: Final = 0x044
QUEUE_NOTIFY: Final = 0x050
INTERRUPT_ACK: Final = 0x064
STATUS: Final = 0x070
QUEUE_DESC: Final = 0x080
QUEUE_DRIVER: Final = 0x090
QUEUE_DEVICE: Final = 0x0A0
CONFIG: Final = 0x100

ACKNOWLEDGE: Final = 1
DRIVER: Final = 2
DRIVER_OK: Final = 4
FEATURES_OK: Final = 8
VERSION_1: Final = 1 << 32
CAUSES: Final = 3
F_NEXT: Final = 1
F_WRITE: Final = 2
NO_INTERRUPT: Final = 1


class Device:
    """One occupied virtio-mmio slot."""

    def __init__(self, machine: Machine, slot: int, device_id: int) -> None:
        self._machine = machine
        self._base = VIRTIO + slot * VIRTIO_STRIDE
        self.device_id = device_id
        self.irq = VIRTIO_IRQ + slot
        self.notify: Callable[[int], None] = machine.storer(self._base + QUEUE_NOTIFY, 4)
        """The doorbell of a queue."""
        self._acknowledge = machine.storer(self._base + INTERRUPT_ACK, 4)
        self.features = 0

    def negotiate(self, wanted: int) -> int:
        """Reset, and agree on the wanted features that are offered."""
        self._set(STATUS, 0)
        self._set(STATUS, ACKNOWLEDGE)
        self._set(STATUS, ACKNOWLEDGE | DRIVER)
        offered = 0
        for half in (0, 1):
            self._set(DEVICE_FEATURES_SEL, half)
            offered |= self._get(DEVICE_FEATURES) << 32 * half
        self.features = offered & (wanted | VERSION_1)
        for half in (0, 1):
            self._set(DRIVER_FEATURES_SEL, half)
            self._set(DRIVER_FEATURES, self.features >> 32 * half & 0xFFFF_FFFF)
        self._set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        if not self._get(STATUS) & FEATURES_OK or not self.features & VERSION_1:
            raise OSError(19, "virtio: the device refuses our features")
        return self.features

    def add_queue(self, index: int, size: int, desc: int, driver: int, device: int) -> None:
        self._set(QUEUE_SEL, index)
        self._set(QUEUE_NUM, size)
        for register, addr in ((QUEUE_DESC, desc), (QUEUE_DRIVER, driver), (QUEUE_DEVICE, device)):
            self._set(register, addr & 0xFFFF_FFFF)
            self._set(register + 4, addr >> 32)
        self._set(QUEUE_READY, 1)

    def queue_max(self, index: int) -> int:
        self._set(QUEUE_SEL, index)
        return self._get(QUEUE_NUM_MAX)

    def start(self) -> None:
        self._set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def acknowledge(self) -> None:
        """In the interrupt handler: lower the line, whatever the cause was.

        All handlers look at their rings anyway; reading the cause first would be one more access.
        """
        self._acknowledge(CAUSES)

    def config(self, offset: int, size: int) -> int:
        return self._machine.read(self._base + CONFIG + offset, size)

    def _get(self, register: int) -> int:
        return self._machine.read(self._base + register, 4)

    def _set(self, register: int, value: int) -> None:
        self._machine.write(self._base + register, 4, value)


def probe(machine: Machine) -> list[Device]:
    """Every device there is, in slot order."""
    found = []
    for slot in range(VIRTIO_SLOTS):
        base = VIRTIO + slot * VIRTIO_STRIDE
        device_id = machine.read(base + DEVICE_ID, 4)
        if machine.read(base, 4) == MAGIC and machine.read(base + 4, 4) == 2 and device_id:
            found.append(Device(machine, slot, device_id))
    return found


class Ring:
    """A split ring: descriptors are the driver's to number; hot drivers inline these methods."""

    def __init__(
        self, machine: Machine, memory: Memory, device: Device, index: int, size: int
    ) -> None:
        self.size = size = min(size, device.queue_max(index))
        avail = 16 * size
        used = avail + 4 + 2 * size + 3 & ~3
        length = used + 4 + 8 * size
        buffer = memory.alloc(length)
        if buffer is None:
            raise MemoryError("virtio: no memory for a ring")
        self.buffer: Buffer = buffer
        buffer.view[:] = bytes(length)
        self.mask = size - 1
        ram = machine.ram
        self.u16 = ram.cast("H")
        self.u32 = ram.cast("I")
        self.u64 = ram.cast("Q")
        offset = buffer.addr - machine.ram_base
        self.desc = offset >> 3
        self.avail = offset + avail >> 1
        self.used_flags = offset + used >> 1
        self.used_ring = offset + used + 4 >> 2
        self.next_avail = 0
        self.next_used = 0
        device.add_queue(index, size, buffer.addr, buffer.addr + avail, buffer.addr + used)

    def describe(
        self, index: int, addr: int, length: int, writable: bool = False, follow: int = -1
    ) -> None:
        """Fill a descriptor; follow: the next of its chain."""
        rest = length | (F_WRITE << 32 if writable else 0)
        if follow >= 0:
            rest |= F_NEXT << 32 | follow << 48
        self.u64[self.desc + 2 * index] = addr
        self.u64[self.desc + 2 * index + 1] = rest

    def offer(self, head: int) -> None:
        """Put a chain in line; the device sees it after publish."""
        self.u16[self.avail + 2 + (self.next_avail & self.mask)] = head
        self.next_avail = self.next_avail + 1 & 0xFFFF

    def publish(self) -> None:
        self.u16[self.avail + 1] = self.next_avail

    def used(self) -> tuple[int, int] | None:
        """The oldest chain the device is done with: its head, and the bytes written to it."""
        if self.u16[self.used_flags + 1] == self.next_used:
            return None
        slot = self.used_ring + 2 * (self.next_used & self.mask)
        self.next_used = self.next_used + 1 & 0xFFFF
        return self.u32[slot] & self.mask, self.u32[slot + 1]

    def silence(self, silent: bool) -> None:
        """Ask for no interrupts, or for them again."""
        self.u16[self.avail] = NO_INTERRUPT if silent else 0
