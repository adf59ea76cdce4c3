"""What the bare-metal hypercalls know about the machine: its RAM, its registers, its memory map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

CLINT: Final = 0x0200_0000
PLIC: Final = 0x0C00_0000
UART0: Final = 0x1000_0000
UART0_IRQ: Final = 10
VIRTIO: Final = 0x1000_1000
VIRTIO_STRIDE: Final = 0x1000
VIRTIO_SLOTS: Final = 8
VIRTIO_IRQ: Final = 1
"""Slot n interrupts on VIRTIO_IRQ + n."""
UART1: Final = 0x1001_0000
"""The line.  QEMU's virt has nothing between its virtio slots and fw_cfg at 0x10100000."""
UART1_IRQ: Final = 11
DMA: Final = 0x1002_0000
DMA_IRQ: Final = 12
RAM: Final = 0x8000_0000

TICK_NS: Final = 100
"""mtime counts at 10 MHz, as on QEMU's virt."""
MTIP: Final = 1 << 7
MEIP: Final = 1 << 11


class Hart(Protocol):
    """The CSRs that interrupt handling looks at."""

    mip: int
    """Pending interrupts, wired from CLINT and PLIC."""


class Machine(Protocol):
    """Registers are reached through read and write, RAM directly, as by load and store."""

    @property
    def ram(self) -> memoryview:
        """All of RAM: writable, format 'B'; its length is a multiple of 4096."""

    @property
    def ram_base(self) -> int: ...

    @property
    def hart(self) -> Hart: ...

    def read(self, addr: int, size: int) -> int:
        """A load of 1, 2, 4 or 8 bytes, little-endian, unsigned."""

    def write(self, addr: int, size: int, value: int) -> None:
        """A store of 1, 2, 4 or 8 bytes."""

    def loader(self, addr: int, size: int) -> Callable[[], int]:
        """`read` of one address, decoded once: for registers that are read all the time."""

    def storer(self, addr: int, size: int) -> Callable[[int], None]:
        """`write` to one address, decoded once."""

    monotonic_ns: Callable[[], int]
    """The time CSR in nanoseconds, without the way over the bus: it is read for every packet."""

    def mtime(self) -> int:
        """The time CSR (rdtime): mtime in ticks, without the way over the bus."""
