"""A 16550 UART, byte by byte: the console, and the line when its driver knows no better."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

RBR_THR: Final = 0
IER: Final = 1
IIR_FCR: Final = 2
LCR: Final = 3
MCR: Final = 4
LSR: Final = 5
MSR: Final = 6
SCR: Final = 7

IER_RX: Final = 0x01
IER_TX: Final = 0x02
FCR_CLEAR_RX: Final = 0x02
FCR_CLEAR_TX: Final = 0x04
LSR_DATA: Final = 0x01
LSR_OVERRUN: Final = 0x02
LSR_IDLE: Final = 0x60
"""Transmitter empty: it always is, the other side takes bytes at once."""
LCR_DLAB: Final = 0x80
MSR_READY: Final = 0xB0
"""Carrier, DSR and CTS are up."""
FIFO_LIMIT: Final = 4096
"""Larger than a 16550's 16 bytes: bytes come in bursts here and there is no bit time to wait."""


class Uart16550:
    def __init__(self, transmit: Callable[[int], None], irq: Callable[[bool], None]) -> None:
        """irq(level) is called when the interrupt line changes, and at each event while it is up.

        QEMU's does so: see Plic.as_qemu.
        """
        self._transmit = transmit
        self._irq = irq
        self._level = False
        self._fifo: deque[int] = deque()
        self._ier = 0
        self._lcr = 0
        self._mcr = 0
        self._scr = 0
        self._fcr = 0
        self._divisor = [0, 0]
        self._tx_interrupt = False
        self._overrun = False
        self.listening = False
        """Somebody looks whether there are bytes: they do not fall into a UART not yet set up."""
        self.counters = {"rx_bytes": 0, "tx_bytes": 0, "rx_overruns": 0}

    def reset(self) -> None:
        """What was received and not read is lost."""
        self._fifo.clear()
        self._ier = self._lcr = self._mcr = self._scr = self._fcr = 0
        self._divisor = [0, 0]
        self._tx_interrupt = self._overrun = self.listening = False
        self._update()

    @property
    def waiting(self) -> int:
        """Bytes received and not read."""
        return len(self._fifo)

    def receive(self, data: bytes) -> None:
        """Bytes arrive; what does not fit into the FIFO is lost, as on the wire."""
        room = FIFO_LIMIT - len(self._fifo)
        if len(data) > room:
            self._overrun = True
            self.counters["rx_overruns"] += len(data) - room
            data = data[:room]
        self._fifo.extend(data)
        self.counters["rx_bytes"] += len(data)
        self._update()

    def _update(self) -> None:
        level = bool(
            (self._ier & IER_RX and self._fifo) or (self._ier & IER_TX and self._tx_interrupt)
        )
        if level or self._level:
            self._level = level
            self._irq(level)

    def read(self, offset: int, _size: int) -> int:
        if offset == RBR_THR:
            return self._read_data()
        if offset == IER:
            return self._divisor[1] if self._lcr & LCR_DLAB else self._ier
        if offset == IIR_FCR:
            return self._read_iir()
        if offset == LSR:
            self.listening = True
            status = LSR_IDLE | (LSR_DATA if self._fifo else 0)
            if self._overrun:
                self._overrun = False
                status |= LSR_OVERRUN
            return status
        return {LCR: self._lcr, MCR: self._mcr, MSR: MSR_READY, SCR: self._scr}.get(offset, 0)

    def _read_data(self) -> int:
        if self._lcr & LCR_DLAB:
            return self._divisor[0]
        if not self._fifo:
            return 0
        byte = self._fifo.popleft()
        self._update()
        return byte

    def _read_iir(self) -> int:
        fifos = 0xC0 if self._fcr & 1 else 0
        if self._ier & IER_RX and self._fifo:
            return fifos | 0x04
        if self._ier & IER_TX and self._tx_interrupt:
            self._tx_interrupt = False  # reading it as the cause acknowledges it
            self._update()
            return fifos | 0x02
        return fifos | 0x01

    def write(self, offset: int, _size: int, value: int) -> None:
        value &= 0xFF
        if offset == RBR_THR:
            if self._lcr & LCR_DLAB:
                self._divisor[0] = value
                return
            self.counters["tx_bytes"] += 1
            self._tx_interrupt = True
            self._transmit(value)
            self._update()
        elif offset == IER:
            if self._lcr & LCR_DLAB:
                self._divisor[1] = value
                return
            if value & IER_TX & ~self._ier:
                self._tx_interrupt = True
            changed = self._ier != value & 0x0F
            self._ier = value & 0x0F
            self.listening = self.listening or value & IER_RX != 0
            if changed:
                self._update()
        elif offset == IIR_FCR:
            self._fcr = value
            if value & FCR_CLEAR_RX:
                self._fifo.clear()
            if value & FCR_CLEAR_TX:
                self._tx_interrupt = True
            self._update()
        elif offset == LCR:
            self._lcr = value
        elif offset == MCR:
            self._mcr = value
        elif offset == SCR:
            self._scr = value
