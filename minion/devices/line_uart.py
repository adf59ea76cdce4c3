"""UART1, the line: a 16550 with a DMA unit, so that a burst is one operation and one interrupt.

Registers behind the 16550's eight (all from offset 0x100, little-endian):

    0x100 CTRL     4  bit 0: receive by DMA; the 16550's receive FIFO is then out of use
    0x104 STATUS   4  bit 0: a burst has arrived; bit 1: a DMA address was not RAM; write 1
                      to clear.  The interrupt line is bit 0
    0x108 RX_BASE  8  bus address of the receive ring
    0x110 RX_SIZE  4  its size: a power of two
    0x114 RX_TAIL  4  how many bytes the driver has taken, modulo 2**32
    0x118 RX_HEAD  4  how many bytes have been put there, modulo 2**32 (read only)
    0x120 TX_ADDR  8  bus address of the bytes to send
    0x128 TX_LEN   4  a store sends that many at once; done when the store returns

When the ring is full the line holds bytes back (as RTS would), up to HELD bytes; after that they
are lost and counted as overruns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.devices.uart import Uart16550
from minion.ram import Ram

CTRL: Final = 0x100
STATUS: Final = 0x104
RX_BASE: Final = 0x108
RX_SIZE: Final = 0x110
RX_TAIL: Final = 0x114
RX_HEAD: Final = 0x118
TX_ADDR: Final = 0x120
TX_LEN: Final = 0x128
BURST: Final = 1
ERROR: Final = 2
HELD: Final = 1 << 20


class LineUart:
    def __init__(self, ram: Ram, irq: Callable[[bool], None]) -> None:
        self.on_transmit: Callable[[bytes], None] = lambda _data: None
        self.counters = {
            "rx_bytes": 0,
            "tx_bytes": 0,
            "rx_bursts": 0,
            "tx_bursts": 0,
            "rx_overruns": 0,
            "dma_errors": 0,
        }
        self._ram = ram
        self._irq = irq
        self._plain = Uart16550(self._transmit_byte, irq)
        self._ctrl = 0
        self._status = 0
        self._regs = {RX_BASE: 0, RX_SIZE: 0, RX_TAIL: 0, RX_HEAD: 0, TX_ADDR: 0}
        self._held = bytearray()

    def receive(self, data: bytes) -> None:
        """Bytes arrive from the line."""
        if not self._ctrl & 1:
            self._plain.receive(data)
            self._count_plain()
            return
        if self._held or not self._store(data):
            room = HELD - len(self._held)
            self._held += data[:room]
            self.counters["rx_overruns"] += max(len(data) - room, 0)
            self._release()

    def _store(self, data: bytes | bytearray) -> bool:
        """Put a burst into the ring if all of it fits."""
        regs = self._regs
        head = regs[RX_HEAD]
        size = regs[RX_SIZE]
        length = len(data)
        if length > size - (head - regs[RX_TAIL] & 0xFFFF_FFFF):
            return False
        ring = self._ram.span(regs[RX_BASE], size)
        if ring is None:
            self._fail()
            return True  # bytes for an impossible address are gone
        start = head & size - 1
        end = start + length
        if end <= size:
            ring[start:end] = data
        else:
            ring[start:] = data[: size - start]
            ring[: end - size] = data[size - start :]
        regs[RX_HEAD] = head + length & 0xFFFF_FFFF
        self.counters["rx_bytes"] += length
        self.counters["rx_bursts"] += 1
        if not self._status & BURST:
            self._status |= BURST
            self._irq(True)
        return True

    def _release(self) -> None:
        """The driver has made room: let held bytes in."""
        size = self._regs[RX_SIZE]
        while self._held:
            room = size - (self._regs[RX_HEAD] - self._regs[RX_TAIL] & 0xFFFF_FFFF)
            if room <= 0 or not self._store(self._held[:room]):
                return
            del self._held[:room]

    def _fail(self) -> None:
        self._status |= ERROR
        self.counters["dma_errors"] += 1

    def _send(self, length: int) -> None:
        data = self._ram.span(self._regs[TX_ADDR], length)
        if data is None:
            self._fail()
            return
        self.counters["tx_bytes"] += length
        self.counters["tx_bursts"] += 1
        self.on_transmit(bytes(data))

    def _transmit_byte(self, byte: int) -> None:
        self.counters["tx_bytes"] += 1
        self.on_transmit(bytes((byte,)))

    def _count_plain(self) -> None:
        self.counters["rx_bytes"] = self._plain.counters["rx_bytes"]
        self.counters["rx_overruns"] = self._plain.counters["rx_overruns"]

    def read(self, offset: int, size: int) -> int:
        if offset < CTRL:
            return self._plain.read(offset, size)
        if offset == STATUS:
            return self._status
        if offset == CTRL:
            return self._ctrl
        return self._regs.get(offset, 0)

    def write(self, offset: int, size: int, value: int) -> None:
        if offset < CTRL:
            self._plain.write(offset, size, value)
        elif offset == TX_LEN:
            self._send(value)
        elif offset == RX_TAIL:
            self._regs[RX_TAIL] = value
            if self._held:
                self._release()
        elif offset == STATUS:
            self._status &= ~value
            if not self._status & BURST:
                self._irq(False)
        elif offset == RX_SIZE:
            self._regs[RX_SIZE] = value if value.bit_count() == 1 else 0
        elif offset == CTRL:
            self._start(value & 1)
        elif offset in (RX_BASE, TX_ADDR):
            self._regs[offset] = value

    def _start(self, ctrl: int) -> None:
        """Switch DMA reception on, with an empty ring, or off."""
        self._ctrl = ctrl
        self._regs[RX_HEAD] = self._regs[RX_TAIL] = 0
        self._held.clear()
