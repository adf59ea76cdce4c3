"""The wiring of QEMU's `virt` machine, which every board here shares.

    0x00001000  boot ROM          (for machine code: minion/boot)
    0x00100000  test finisher     (for machine code)
    0x02000000  CLINT                                     0x10001000  virtio-mmio slots 0-7, irq 1-8
    0x0c000000  PLIC                                      0x10010000  UART1: the line, irq 11
    0x10000000  UART0: the console, irq 10                0x10020000  DMA engine, irq 12
    0x80000000  RAM

What stands in a slot is fixed: 0 the NIC, 1 the entropy device, disks from 2, 7 the virtio console.
UART1 and the DMA engine carry the rump kernel's system calls; boards without it lack them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from hypercalls.bare import machine
from minion.bus import Bus, Device
from minion.devices import clint, plic
from minion.devices.lines import Lines
from minion.devices.uart import Uart16550
from minion.devices.virtio_blk import VirtioBlk
from minion.devices.virtio_console import VirtioConsole
from minion.devices.virtio_mmio import STATUS, VirtioMmio
from minion.devices.virtio_net import VirtioNet
from minion.devices.virtio_rng import VirtioRng
from minion.netdev.api import Netdev
from minion.ram import Ram

NET_SLOT: Final = 0
RNG_SLOT: Final = 1
DISK_SLOT: Final = 2
CONSOLE_SLOT: Final = 7
DISKS: Final = machine.VIRTIO_SLOTS - DISK_SLOT
UART_LENGTH: Final = 0x100
SOURCES: Final = {
    machine.UART0_IRQ: "uart0",
    machine.UART1_IRQ: "uart1",
    machine.DMA_IRQ: "dma",
}


class Virt:
    """RAM, interrupt controllers and UART0; what else a board has is added to it.

    Slots that are still free once `close_slots` is called stay empty.
    """

    def __init__(
        self, ram_bytes: int, now_ns: Callable[[], int], transmit: Callable[[int], None]
    ) -> None:
        """transmit: takes the bytes of UART0."""
        self.ram = Ram(ram_bytes, machine.RAM)
        self.bus = Bus(self.ram)
        self.lines = Lines()
        self.clint = clint.Clint(now_ns, self.lines)
        self.plic = plic.Plic(self.lines)
        self.plic.as_qemu(machine.UART0_IRQ)
        self.uart0 = Uart16550(transmit, self.irq(machine.UART0_IRQ))
        self._slots: dict[int, VirtioMmio] = {}
        self.bus.attach(machine.CLINT, clint.LENGTH, self.clint)
        self.bus.attach(machine.PLIC, plic.LENGTH, self.plic)
        self.bus.attach(machine.UART0, UART_LENGTH, self.uart0)

    def reset(self) -> None:
        """The devices as after power-on; RAM keeps what it holds."""
        self.clint.reset()
        self.uart0.reset()
        for mmio in self._slots.values():
            mmio.write(STATUS, 4, 0)
        self.plic.reset()

    def irq(self, source: int) -> Callable[[bool], None]:
        """The wire of an interrupt source."""
        return partial(self.plic.drive, source)

    # -- virtio slots

    def _slot_irq(self, slot: int) -> Callable[[bool], None]:
        return self.irq(machine.VIRTIO_IRQ + slot)

    def _plug(self, slot: int, mmio: VirtioMmio) -> None:
        self._slots[slot] = mmio
        self._attach(slot, mmio)

    def _attach(self, slot: int, device: Device) -> None:
        base = machine.VIRTIO + slot * machine.VIRTIO_STRIDE
        self.bus.attach(base, machine.VIRTIO_STRIDE, device)

    def add_net(self, netdev: Netdev, mac: bytes, mtu_bytes: int) -> VirtioNet:
        nic = VirtioNet(self.ram, netdev, mac, mtu_bytes, self._slot_irq(NET_SLOT))
        self._plug(NET_SLOT, nic.mmio)
        return nic

    def add_rng(self, getrandom: Callable[[int], bytes]) -> VirtioRng:
        rng = VirtioRng(self.ram, getrandom, self._slot_irq(RNG_SLOT))
        self._plug(RNG_SLOT, rng.mmio)
        return rng

    def add_disks(self, block: Sequence[tuple[str, bool]]) -> list[VirtioBlk]:
        """block: (path, read only) of each; OSError if one cannot be opened."""
        disks: list[VirtioBlk] = []
        for n, (path, read_only) in enumerate(block):
            slot = DISK_SLOT + n
            disk = VirtioBlk(self.ram, path, read_only, f"vd{n}", self._slot_irq(slot))
            self._plug(slot, disk.mmio)
            disks.append(disk)
        return disks

    def add_console(
        self, transmit: Callable[[bytes], None], columns: int, rows: int
    ) -> VirtioConsole:
        irq = self._slot_irq(CONSOLE_SLOT)
        console = VirtioConsole(self.ram, transmit, irq, columns, rows)
        self._plug(CONSOLE_SLOT, console.mmio)
        return console

    def close_slots(self) -> None:
        for slot in range(machine.VIRTIO_SLOTS):
            if slot not in self._slots:
                self._attach(slot, Empty())

    # -- accounts

    def served(self) -> dict[str, int]:
        """Interrupts by source."""
        claims = {
            SOURCES.get(source, f"virtio{source - machine.VIRTIO_IRQ}"): count
            for source, count in enumerate(self.plic.interrupts)
            if count
        }
        return {"timer": self.clint.counters["interrupts"], **claims}


def with_mmio(device: VirtioBlk | VirtioRng | VirtioConsole) -> dict[str, int]:
    """A device's counters and its transport's."""
    mmio: VirtioMmio = device.mmio
    return {**device.counters, **mmio.counters}


class Empty:
    """A virtio-mmio slot with nothing in it: device number 0 (4.2.2)."""

    def read(self, offset: int, _size: int) -> int:
        return {0: 0x74726976, 4: 2}.get(offset, 0)

    def write(self, _offset: int, _size: int, _value: int) -> None:
        """Nothing listens."""
