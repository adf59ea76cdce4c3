"""virtio-console (VIRTIO 1.2, 5.3): one port, without the control queues of several."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from minion.devices.virtio_mmio import VirtioMmio
from minion.devices.virtqueue import RingError
from minion.ram import Ram

SIZE: Final = 1 << 0
"""VIRTIO_CONSOLE_F_SIZE: columns and rows are known."""
RX: Final = 0
TX: Final = 1
CONFIG = Struct("<HHII")  # cols, rows, max_nr_ports, emerg_wr
HELD: Final = 4096
"""Bytes kept for a driver that has posted no buffer; more are lost, as on a serial line."""

PIECE: Final = 4096
"""Bytes written at once: a chain may name all of RAM many times over."""


class VirtioConsole:
    device_id = 3
    modern = False
    queue_sizes = (64, 64)

    def __init__(
        self,
        ram: Ram,
        transmit: Callable[[bytes], None],
        irq: Callable[[bool], None],
        columns: int = 0,
        rows: int = 0,
    ) -> None:
        """columns, rows: of the terminal; 0 if there is none."""
        self.features = SIZE if columns and rows else 0
        self.counters = {"rx_bytes": 0, "tx_bytes": 0, "rx_overruns": 0}
        self.mmio = VirtioMmio(ram, self, irq)
        self._transmit = transmit
        self._config = CONFIG.pack(columns, rows, 1, 0)
        self._held = bytearray()

    @property
    def room(self) -> int:
        """How many bytes `receive` would not lose."""
        return HELD - len(self._held)

    def receive(self, data: bytes) -> None:
        """Somebody types."""
        room = self.room
        self.counters["rx_overruns"] += max(len(data) - room, 0)
        self._held += data[:room]
        if self.mmio.queues[RX].ready and self.mmio.live:
            try:
                self._fill()
            except RingError:
                self.mmio.broken()

    def _fill(self) -> None:
        """Put what is held into the driver's buffers, as far as it has posted any."""
        rx = self.mmio.queues[RX]
        held = self._held
        given = False
        while held and (head := rx.take()) >= 0:
            length = 0
            for view in rx.writable(head):
                piece = held[: len(view)]
                view[: len(piece)] = piece
                del held[: len(piece)]
                length += len(piece)
            rx.give(head, length)
            self.counters["rx_bytes"] += length
            given = True
        if given:
            self.mmio.interrupt(rx)

    # -- virtio_mmio.Backend

    def config(self) -> bytes:
        return self._config

    def started(self, features: int) -> None:
        """What is held comes with the first doorbell of the receive queue."""

    def stopped(self) -> None:
        """What was typed waits for the next driver."""

    def notify(self, queue: int) -> None:
        if queue == RX:
            self._fill()
            return
        tx = self.mmio.queues[TX]
        while (head := tx.take()) >= 0:
            for view in tx.readable(head):
                for start in range(0, len(view), PIECE):
                    self._transmit(bytes(view[start : start + PIECE]))
                self.counters["tx_bytes"] += len(view)
            tx.give(head, 0)
        self.mmio.interrupt(tx)
