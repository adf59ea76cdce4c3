"""The line: UART1 with its DMA unit (registers: minion/devices/line_uart.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypercalls.api import Memory
from hypercalls.bare.intr import Interrupts
from hypercalls.bare.machine import UART1, UART1_IRQ, Machine

CTRL: Final = UART1 + 0x100
STATUS: Final = UART1 + 0x104
RX_BASE: Final = UART1 + 0x108
RX_SIZE: Final = UART1 + 0x110
RX_TAIL: Final = UART1 + 0x114
RX_HEAD: Final = UART1 + 0x118
TX_ADDR: Final = UART1 + 0x120
TX_LEN: Final = UART1 + 0x128
BURST: Final = 1


class LineSerial:
    """api.Serial."""

    def __init__(
        self, machine: Machine, memory: Memory, interrupts: Interrupts, ring_bytes: int
    ) -> None:
        rx, tx = memory.alloc(ring_bytes), memory.alloc(ring_bytes)
        if rx is None or tx is None:
            raise MemoryError("serial: no memory for the rings")
        self._machine = machine
        self._rx = rx
        self._tx = tx
        self._size = ring_bytes
        self._tail = 0
        self._told = False
        self._on_receive: Callable[[], None] | None = None
        machine.write(RX_BASE, 8, rx.addr)
        machine.write(RX_SIZE, 4, ring_bytes)
        machine.write(TX_ADDR, 8, tx.addr)
        machine.write(CTRL, 4, 1)
        interrupts.establish(UART1_IRQ, self._interrupt)

    def write(self, data: bytes) -> None:
        size = self._size
        for start in range(0, len(data), size):
            burst = data[start : start + size]
            self._tx.view[: len(burst)] = burst
            self._machine.write(TX_LEN, 4, len(burst))

    def read(self) -> bytes:
        self._told = False
        head = self._machine.read(RX_HEAD, 4)
        length = head - self._tail & 0xFFFF_FFFF
        if not length:
            return b""
        start = self._tail & self._size - 1
        end = start + length
        view = self._rx.view
        data = bytes(view[start:end])
        if end > self._size:
            data += view[: end - self._size]
        self._tail = head
        self._machine.write(RX_TAIL, 4, head)
        return data

    def on_receive(self, handler: Callable[[], None]) -> None:
        self._on_receive = handler

    def _interrupt(self) -> None:
        self._machine.write(STATUS, 4, BURST)
        if not self._told and self._on_receive is not None:
            self._told = True
            self._on_receive()
