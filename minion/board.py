"""The board: QEMU's `virt` memory map, wired up.

    0x00100000  test finisher (the hart's programs)       0x10001000  virtio-mmio slots 0-7, irq 1-8
    0x02000000  CLINT                                     0x10010000  UART1: the line, irq 11
    0x0c000000  PLIC                                      0x10020000  DMA engine, irq 12
    0x10000000  UART0: the console, irq 10                0x80000000  RAM

Devices only set pending bits; what follows from that happens in `run`, on the caller's stack.
Slot 0 is the NIC, slot 1 the entropy device, disks follow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hypercalls.api import Hypercalls
from hypercalls.bare import machine
from hypercalls.bare.boot import Kernel
from minion.bus import Bus
from minion.devices import clint, plic
from minion.devices.dma import Dma
from minion.devices.line_uart import LineUart
from minion.devices.lines import Lines
from minion.devices.uart import Uart16550
from minion.devices.virtio_blk import VirtioBlk
from minion.devices.virtio_mmio import VirtioMmio
from minion.devices.virtio_net import VirtioNet
from minion.devices.virtio_rng import VirtioRng
from minion.netdev.api import Netdev
from minion.ram import Ram

SOURCES = {
    machine.UART0_IRQ: "uart0",
    machine.UART1_IRQ: "uart1",
    machine.DMA_IRQ: "dma",
}
CONSOLE_LINE = 1024


class Core:
    """bare.machine.Machine: the board as the code on its hart sees it."""

    def __init__(self, ram: Ram, bus: Bus, lines: Lines, timer: clint.Clint) -> None:
        self.ram = ram.view
        self.ram_base = ram.base
        self.hart = lines
        self.read = bus.read
        self.write = bus.write
        self.loader = bus.loader
        self.storer = bus.storer
        self.mtime = timer.mtime
        self.monotonic_ns = timer.now_ns


class Board:
    def __init__(
        self,
        netdev: Netdev,
        console: Callable[[str], None],
        ram_bytes: int = 64 << 20,
        block: Sequence[tuple[str, bool]] = (),
        params: Mapping[str, str] | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        getrandom: Callable[[int], bytes] = os.urandom,
        mac: bytes | None = None,
        mtu_bytes: int = 1500,
        reserved_bytes: int = 0,
    ) -> None:
        """block: (path, read only) of each disk; mac: by default a random local one.

        reserved_bytes at the start of RAM are not the rump kernel's: programs are loaded there.
        """
        if len(block) > machine.VIRTIO_SLOTS - 2:
            raise ValueError("board: at most six disks")
        self.console = console
        self._on_work: Callable[[], None] | None = None
        self.ram = Ram(ram_bytes, machine.RAM)
        self.bus = Bus(self.ram)
        self.lines = Lines()
        self.clint = clint.Clint(now_ns, self.lines)
        self.plic = plic.Plic(self.lines)
        self.uart0 = Uart16550(self._console_byte, self._irq(machine.UART0_IRQ))
        self.uart1 = LineUart(self.ram, self._irq(machine.UART1_IRQ))
        self.dma = Dma(self.ram, self._irq(machine.DMA_IRQ))
        mac = mac or b"\xb2\x0a" + getrandom(4)
        self.netdev = netdev
        self.nic = VirtioNet(self.ram, netdev, mac, mtu_bytes, self._irq(machine.VIRTIO_IRQ))
        self.rng = VirtioRng(self.ram, getrandom, self._irq(machine.VIRTIO_IRQ + 1))
        self.disks = [
            VirtioBlk(self.ram, path, read_only, f"vd{n}", self._irq(machine.VIRTIO_IRQ + 2 + n))
            for n, (path, read_only) in enumerate(block)
        ]
        self._map()
        self._line = bytearray()
        core = Core(self.ram, self.bus, self.lines, self.clint)
        self.kernel = Kernel(core, params or {}, wall_ns(), reserved_bytes)
        self._run = self.kernel.scheduler.run
        self._clock = self.kernel.clock

    @property
    def hypercalls(self) -> Hypercalls:
        return self.kernel.hypercalls

    @property
    def on_work(self) -> Callable[[], None] | None:
        """Called when an interrupt rises outside of run: see to it that run is called."""
        return self._on_work

    @on_work.setter
    def on_work(self, function: Callable[[], None] | None) -> None:
        self._on_work = self.lines.wake = function

    def _irq(self, source: int) -> Callable[[bool], None]:
        return partial(self.plic.drive, source)

    def _map(self) -> None:
        bus = self.bus
        bus.attach(machine.CLINT, clint.LENGTH, self.clint)
        bus.attach(machine.PLIC, plic.LENGTH, self.plic)
        bus.attach(machine.UART0, 0x100, self.uart0)
        bus.attach(machine.UART1, 0x1000, self.uart1)
        bus.attach(machine.DMA, 0x1000, self.dma)
        slots: list[VirtioMmio | Empty] = [self.nic.mmio, self.rng.mmio]
        slots += [disk.mmio for disk in self.disks]
        slots += [Empty()] * (machine.VIRTIO_SLOTS - len(slots))
        for slot, device in enumerate(slots):
            bus.attach(machine.VIRTIO + slot * machine.VIRTIO_STRIDE, 0x1000, device)

    def run(self) -> int | None:
        """Interrupts, softints and threads until idle.

        The monotonic time at which to call again if nothing happens before: 0 for at once, None
        for never.
        """
        self.lines.wake = None
        timer = self.clint
        try:
            if timer.mtimecmp != clint.NEVER or self.lines.mip:
                timer.poll()
            more = self._run()
            if self._clock.changed:
                self._clock.program()
        finally:
            self.lines.wake = self._on_work
        if self._line:
            self._flush_console()
        return 0 if more else timer.deadline_ns()

    def close(self) -> None:
        """Power off."""
        self.kernel.scheduler.close()
        self.netdev.close()
        for disk in self.disks:
            disk.close()

    def _console_byte(self, byte: int) -> None:
        self._line.append(byte)
        if byte == 10 or len(self._line) >= CONSOLE_LINE:
            self._flush_console()

    def _flush_console(self) -> None:
        text = self._line.decode("utf-8", "replace")
        self._line.clear()
        self.console(text)

    def counters(self) -> dict[str, dict[str, int]]:
        """Everything accounted, by device."""
        served = {
            SOURCES.get(source, f"virtio{source - machine.VIRTIO_IRQ}"): count
            for source, count in enumerate(self.plic.interrupts)
            if count
        }
        memory = self.kernel.memory
        table = {
            "memory": {"size_bytes": memory.size_bytes, "free_bytes": memory.free_bytes},
            "uart0": self.uart0.counters,
            "line": self.uart1.counters,
            "dma": self.dma.account(),
            "nic": self.nic.account(),
            "netdev": self.netdev.counters,
            "rng": {**self.rng.counters, **self.rng.mmio.counters},
            "interrupts": {"timer": self.clint.counters["interrupts"], **served},
        }
        for n, disk in enumerate(self.disks):
            table[f"vd{n}"] = {**disk.counters, **disk.mmio.counters}
        return {name: dict(values) for name, values in table.items()}


class Empty:
    """A virtio-mmio slot with nothing in it: device number 0 (4.2.2)."""

    def read(self, offset: int, _size: int) -> int:
        return {0: 0x74726976, 4: 2}.get(offset, 0)

    def write(self, _offset: int, _size: int, _value: int) -> None:
        """Nothing listens."""
