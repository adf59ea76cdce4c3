"""The board of the rump kernel: what `virt` shares, the line and the DMA engine (minion/virt.py).

Devices only set pending bits; what follows from that happens in `run`, on the caller's stack.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from hypercalls.api import Hypercalls
from hypercalls.bare import machine
from hypercalls.bare.boot import Kernel
from minion.bus import Bus
from minion.devices import clint
from minion.devices.dma import Dma
from minion.devices.line_uart import LineUart
from minion.devices.lines import Lines
from minion.hart.cost import Cost
from minion.hart.state import Hart
from minion.netdev.api import Netdev
from minion.ram import Ram
from minion.virt import DISKS, Virt, with_mmio

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
        if len(block) > DISKS:
            raise ValueError("board: at most six disks")
        self.console = console
        self._on_work: Callable[[], None] | None = None
        virt = self._virt = Virt(ram_bytes, now_ns, self._console_byte)
        self.ram = virt.ram
        self.bus = virt.bus
        self.lines = virt.lines
        self.clint = virt.clint
        self.plic = virt.plic
        self.uart0 = virt.uart0
        self.uart1 = LineUart(self.ram, virt.irq(machine.UART1_IRQ))
        self.dma = Dma(self.ram, virt.irq(machine.DMA_IRQ))
        self.bus.attach(machine.UART1, 0x1000, self.uart1)
        self.bus.attach(machine.DMA, 0x1000, self.dma)
        self.netdev = netdev
        self.nic = virt.add_net(netdev, mac or b"\xb2\x0a" + getrandom(4), mtu_bytes)
        self.rng = virt.add_rng(getrandom)
        self.disks = virt.add_disks(block)
        virt.close_slots()
        self._line = bytearray()
        core = Core(self.ram, self.bus, self.lines, self.clint)
        self.kernel = Kernel(core, params or {}, wall_ns(), reserved_bytes)
        self._run = self.kernel.scheduler.run
        self._clock = self.kernel.clock

    @property
    def hypercalls(self) -> Hypercalls:
        return self.kernel.hypercalls

    def make_hart(self, cost: Cost) -> Hart:
        """For machine code beside the rump kernel; several are one hart in several states."""
        return Hart(self.bus, self.ram, self.lines, time=self.clint.mtime, cost=cost)

    @property
    def on_work(self) -> Callable[[], None] | None:
        """Called when an interrupt rises outside of run: see to it that run is called."""
        return self._on_work

    @on_work.setter
    def on_work(self, function: Callable[[], None] | None) -> None:
        self._on_work = self.lines.wake = function

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
        memory = self.kernel.memory
        table = {
            "memory": {"size_bytes": memory.size_bytes, "free_bytes": memory.free_bytes},
            "uart0": self.uart0.counters,
            "line": self.uart1.counters,
            "dma": self.dma.account(),
            "nic": self.nic.account(),
            "netdev": self.netdev.counters,
            "rng": with_mmio(self.rng),
            "interrupts": self._virt.served(),
        }
        for n, disk in enumerate(self.disks):
            table[f"vd{n}"] = with_mmio(disk)
        return {name: dict(values) for name, values in table.items()}
